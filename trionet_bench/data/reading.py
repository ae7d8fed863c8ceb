"""Files that others wrote: whatever goes wrong when one is read or parsed is one error that names it and its remedy."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trionet_bench.errors import BenchError, DataError

UNPACK = "Unpack the archive again."
RESTORE = "Restore the file, or its permissions."


@contextmanager
def reading(path: Path, remedy: str = RESTORE, where: str = "") -> Iterator[None]:
    """A block that reads and parses a file, in which parsers may raise errors of any type.

    Args:
        remedy: a sentence on what to do where the file is damaged.
        where: the beginning of the message, such as a source and a colon.

    Raises:
        DataError: where there is no regular file or the block raises anything; errors of this program are passed on.
    """
    try:
        check_regular(path)
        yield
    except BenchError:
        raise
    except Exception as error:
        raise DataError(f"{where}{path} cannot be read: {reason_of(error)}. {remedy}") from error


def check_regular(path: Path) -> None:
    """OSError where ``path`` is no regular file: opening a pipe would wait for ever, a device may have no end."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise OSError("it is a folder" if stat.S_ISDIR(mode) else "it is no regular file")


def reason_of(error: Exception) -> str:
    """What an error says, in words and without its number; the name of its type where it says nothing."""
    said = (isinstance(error, OSError) and error.strerror) or str(error).strip() or type(error).__name__
    return said.removesuffix(".")
