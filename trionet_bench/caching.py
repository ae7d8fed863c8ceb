"""Where files are kept that can be made again: digests of files, decoded images, compiled kernels."""

import logging
import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from trionet_bench.errors import StoreError

NAME = "trionet-bench"


def cache_folder() -> Path:
    """The absolute path of the cache folder, which is made where it is missing.

    It is ``TRIONET_BENCH_CACHE`` where that is set, else ``trionet-bench`` in ``XDG_CACHE_HOME`` or in ``~/.cache``.
    Where that cannot be written, or there is no home, it is a folder of this user in the temporary folder, and a
    warning says so once.

    Raises:
        StoreError: where the temporary folder cannot be used either.
    """
    chosen = preferred_folder()
    return _usable(str(chosen) if chosen else "")


def preferred_folder() -> Path | None:
    """Where the cache folder is wanted, though it may not be writable; None where there is no home."""
    if named := os.environ.get("TRIONET_BENCH_CACHE"):
        return Path(named).resolve()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return (Path(shared) / NAME).resolve()
    try:
        return (Path.home() / ".cache" / NAME).resolve()
    except RuntimeError:  # neither HOME nor an entry in the list of users
        return None


def home_is_usable() -> bool:
    """Whether there is a home folder in which programs can keep settings and caches."""
    try:
        home = Path.home()
    except RuntimeError:
        return False
    return os.access(home, os.W_OK | os.X_OK)


@cache
def _usable(chosen: str) -> Path:
    if chosen and (fault := _fault_of(Path(chosen))) is None:
        return Path(chosen)
    reason = f"{chosen} cannot be written ({fault})" if chosen else "there is no home folder"
    try:
        folder = temporary_folder()
    except OSError as error:
        raise StoreError(
            f"{reason}, nor can the temporary folder ({error.strerror or error}). "
            "Name a folder for caches in TRIONET_BENCH_CACHE."
        ) from error
    logging.getLogger(__name__).warning(
        "%s: caches are in %s. Name another folder in TRIONET_BENCH_CACHE.", reason, folder
    )
    return folder


def _fault_of(folder: Path) -> str | None:
    """Why nothing can be written to a folder, which is made where it is missing; None where it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror
    return None if os.access(folder, os.W_OK | os.X_OK) else "permission denied"


def temporary_folder() -> Path:
    """A folder of this user alone, the same for all its processes; a new one where the name is taken by another user.

    Compiled code is loaded from it, so that no one else may be able to write there.
    """
    folder = Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
        return folder
    return Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
