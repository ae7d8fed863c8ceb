"""Compiled code in a folder of the user's own: built once under a lock, and verified each time before it is loaded.

A library is named by a digest of its sources, flags, compiler and processor. Beside it lies the SHA-256 of the library
itself; where that does not fit, or another user could have written either, both are made anew.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from trionet_bench.caching import cache_folder, temporary_folder
from trionet_bench.files import write_atomically
from trionet_bench.processor import described

BUILD_SECONDS = 120.0  # after which a compiler is given up on
_VERSION_SECONDS = 20.0
_GIVEN_UP_SECONDS = 3600.0  # for which a compiler that did not end is not asked again
_TICK = 0.1


class BuildError(Exception):
    """Why there is no library."""


def compiler_command(text: str) -> list[str]:
    """The command of a compiler as ``CC`` has it, such as ``ccache gcc``; BuildError where there is no such program."""
    words = shlex.split(text)
    path = shutil.which(words[0]) if words else None
    if path is None:
        raise BuildError(f"there is no compiler {text!r}; name one in CC")
    return [path, *words[1:]]


def compiled(compiler: Sequence[str], source: Path, flags: Sequence[str]) -> Path:
    """The shared library of a C file and of the files beside it; compiled where there is no sound one in the cache.

    BuildError where the compiler fails, or where no folder is safe to load code from; TimeoutError where it does not
    end.
    """
    version = _output([*compiler, "--version"], _VERSION_SECONDS)
    sources = [path.read_bytes() for path in sorted(source.parent.glob("*.[ch]"))]
    identity = [*sources, version, _processor().encode(), *(part.encode() for part in (*compiler, *flags))]
    digest = hashlib.sha256(b"\0".join(identity)).hexdigest()
    folder = private_folder()
    library = folder / f"{source.stem}-{digest[:16]}.so"
    if _is_sound(library):
        return library
    with _lock(folder):
        if not _is_sound(library):  # nobody else built it while this process waited
            _build(library, [*compiler, *flags, str(source)])
    return library


def private_folder() -> Path:
    """The folder of compiled code, to which no other user can write.

    One of ours that others can write to is closed to them, and what they may have left there is not trusted. One of
    another user is passed over for a folder in the temporary folder.
    """
    for parent in (cache_folder(), temporary_folder()):
        folder = parent / "kernels"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            if found.st_mode & 0o022:
                for path in folder.iterdir():
                    path.unlink()
                folder.chmod(0o700)
        except OSError:
            continue
        return folder
    raise BuildError("no folder for compiled code is this user's own; name another in TRIONET_BENCH_CACHE")


def _is_sound(library: Path) -> bool:
    """Whether a library is there as it was built, and only this user can have written it."""
    try:
        digest = library.with_suffix(".sha256").read_text()
        content = library.read_bytes()
        statuses = [path.lstat() for path in (library, library.with_suffix(".sha256"))]
    except (OSError, UnicodeDecodeError):
        return False
    ours = all(
        stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022 for found in statuses
    )
    return ours and hashlib.sha256(content).hexdigest() == digest


def _build(library: Path, command: Sequence[str]) -> None:
    given_up = library.with_suffix(".given-up")
    with contextlib.suppress(OSError):
        if time.time() - given_up.stat().st_mtime < _GIVEN_UP_SECONDS:
            raise TimeoutError(f"the compiler did not end within {BUILD_SECONDS:.0f} s; {given_up} notes it")
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        built = Path(scratch) / "built.so"
        try:
            _output([*command, "-o", str(built), "-lm"], BUILD_SECONDS)
        except TimeoutError:
            given_up.touch()
            raise
        built.chmod(0o600)
        # The digest goes first: without its library it says nothing, and the library without it is built again.
        write_atomically(library.with_suffix(".sha256"), hashlib.sha256(built.read_bytes()).hexdigest())
        built.replace(library)


def _output(command: Sequence[str], seconds: float) -> bytes:
    """What a program prints. BuildError where it fails; TimeoutError, after it and its children were ended, where it
    does not end.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            printed, complaint = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TimeoutError(f"{command[0]} did not end within {seconds:.0f} s") from error
            raise
    if process.returncode:
        raise BuildError(complaint.decode(errors="replace").strip() or f"{command[0]} failed")
    return printed


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Held by one process at a time; it ends with its process. BuildError where another holds it for too long."""
    deadline = time.monotonic() + 2 * BUILD_SECONDS
    with (folder / ".lock").open("wb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BuildError(f"another process holds {file.name} and does not end") from None
                time.sleep(_TICK)
        yield


def _processor() -> str:
    """What ``-march=native`` depends on: architecture and, on Linux, the instruction sets."""
    return f"{platform.machine()} {platform.processor()} {described('flags')}"
