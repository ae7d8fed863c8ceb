"""Text on its way to a terminal or a pipe: names are shown as they are, and can neither steer nor stop it.

Names of classes, files and suites come from people and archives. A control character in one (an escape sequence, a
carriage return, an override of the writing direction) is shown by its escape; a character that the encoding of the
output lacks is too.
"""

import logging
import re
import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper

import click

# Control characters but tab and line break; marks, embeddings, overrides and isolates of the writing direction.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


_format_warning = warnings.formatwarning


def visible(text: str) -> str:
    """``text`` with every control character as its escape, such as ``\\x1b``."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def echo(message: object = "", err: bool = False, nl: bool = True) -> None:
    """Write a message, made visible, to standard output or standard error."""
    click.echo(visible(str(message)), err=err, nl=nl)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on standard output: drawn by rich on a terminal, Markdown elsewhere.

    The first column is left-aligned, the others are right-aligned where they begin with a digit in the first row.
    """
    right = [bool(column) and cell[:1].isdigit() for column, cell in enumerate(rows[0])] if rows else []
    if sys.stdout.isatty():
        from rich import box  # slow to import, and of use on a terminal only
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD)
        for head, to_right in zip(heads, right or [False] * len(heads), strict=True):
            table.add_column(visible(head), justify="right" if to_right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(escape(visible(cell)) for cell in row))
        Console().print(table, highlight=False)
        return
    lines = [heads, ["---:" if to_right else "---" for to_right in right], *rows]
    for line in lines:
        echo(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |")


class VisibleFormatter(logging.Formatter):
    """Log messages, made visible."""

    def format(self, record: logging.LogRecord) -> str:
        """The formatted record."""
        return visible(super().format(record))


class VisibleFile(TextIOWrapper):
    """A text file to which all is written made visible, such as a log that a person will show on a terminal."""

    def write(self, text: str) -> int:
        """Write ``text``; the number of its characters."""
        super().write(visible(text))
        return len(text)


def format_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """The text of a warning as Python shows it, made visible; it stands in for ``warnings.formatwarning``."""
    return visible(_format_warning(message, category, filename, lineno, line))


def accept_any_text() -> None:
    """Let standard output and error escape what their encoding lacks, where that would otherwise be an error, and show
    control characters in warnings, of Python and logged ones.
    """
    warnings.formatwarning = format_warning
    if logging.lastResort is not None:  # writes to standard error what no other handler takes
        logging.lastResort.setFormatter(VisibleFormatter())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
