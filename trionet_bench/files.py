"""Atomic writing: a reader, also after a crash, sees the old content of a file or the new one, never a part."""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from trionet_bench.errors import StoreError

DAMAGED = ".damaged"  # ends the name of a file that was set aside
_DRAFT = ".tmp"  # ends the hidden name of a file that is being written


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write to, which is synced and replaces ``path`` when the block ends without an error.

    The folder is made where it is missing. After an error ``path`` is as it was, and nothing else is left.

    Raises:
        StoreError: for any OSError inside the block or of the replacement.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_DRAFT}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreError(f"{path} could not be written: {error.strerror}. Nothing else was changed.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def remove_drafts(folder: Path, older_than: float = 0.0) -> None:
    """Remove what killed programs were writing in a folder; those that cannot be removed stay.

    Args:
        older_than: seconds; others may still be at work on what is younger.
    """
    for path in folder.glob(f".*{_DRAFT}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime >= older_than:
                path.unlink()


def set_aside(path: Path) -> None:
    """Rename a damaged file, so that it is made again and can be looked at; one that was set aside before is replaced.

    Raises:
        StoreError: where it cannot be renamed.
    """
    try:
        os.replace(path, path.with_name(path.name + DAMAGED))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{path} is damaged and could not be renamed: {error.strerror}.") from error


def write_atomically(path: Path, *parts: str | bytes | memoryview) -> None:
    """Replace the content of ``path`` by these parts, text as UTF-8; see ``atomic_file``.

    Raises:
        StoreError: where it cannot be written; ``path`` is then as it was.
    """
    with atomic_file(path) as file:
        for part in parts:
            file.write(part.encode() if isinstance(part, str) else part)
