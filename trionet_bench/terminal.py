"""Text on its way to a terminal or a pipe: names are shown as they are, and can neither steer nor stop it.

Names of classes, files and suites come from people and archives. A control character in one (an escape sequence, a
carriage return, an override of the writing direction) is shown by its escape; a character that the encoding of the
output lacks is too.
"""

import logging
import re
import sys
from io import TextIOWrapper

import click

# Control characters but tab and line break; marks, embeddings, overrides and isolates of the writing direction.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """``text`` with every control character as its escape, such as ``\\x1b``."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def echo(message: object = "", err: bool = False, nl: bool = True) -> None:
    """Write a message, made visible, to standard output or standard error."""
    click.echo(visible(str(message)), err=err, nl=nl)


class VisibleFormatter(logging.Formatter):
    """Log messages, made visible."""

    def format(self, record: logging.LogRecord) -> str:
        """The formatted record."""
        return visible(super().format(record))


def accept_any_text() -> None:
    """Let standard output and error escape what their encoding lacks, where that would otherwise be an error, and show
    control characters in warnings that are logged.
    """
    if logging.lastResort is not None:  # writes to standard error what no other handler takes
        logging.lastResort.setFormatter(VisibleFormatter())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
