"""Claims on work, so that several runners on one results folder, on one machine or many, never do the same cell twice.

A claim is a file made by exclusive creation, the one operation that a shared file system decides for exactly one
process. Its holder touches it now and then. A claim is void when its process is gone (same machine) or it was not
touched for ``STALE_AFTER`` seconds. A void claim is never removed by others, which could hit its successor: the next
holder makes the file of the next number.
"""

import contextlib
import os
import re
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

from trionet_bench.errors import StoreError

HEARTBEAT = 20.0
STALE_AFTER = 240.0


class Claims:
    """The claims of one runner in one folder; a context in which they are kept alive.

    Args:
        folder: where claim files are, the same for all runners; made on entry.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, list[Path]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._pulse = threading.Thread(target=self._beat, name="claims", daemon=True)

    def __enter__(self) -> "Claims":
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self.folder} could not be made: {error.strerror}.") from error
        self._pulse.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._pulse.join()
        for name in list(self._held):
            self.release(name)

    def take(self, name: str) -> bool:
        """Whether ``name`` is now ours; False while another runner works on it."""
        void = self._files(name)
        if void and not _is_void(void[-1]):
            return False
        number = _number(void[-1]) + 1 if void else 0
        path = self.folder / f"{name}.{number}"
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        except OSError as error:
            raise StoreError(f"{path} could not be written: {error.strerror}.") from error
        with os.fdopen(descriptor, "w") as file:
            file.write(_signature())
        if self._files(name) != [*void, path]:  # the void claim was taken over and released while we looked at it
            path.unlink()
            return False
        with self._lock:
            self._held[name] = [*void, path]
        return True

    def release(self, name: str) -> None:
        """Give ``name`` back; void claims go first, so that ours is the last word until all are gone."""
        with self._lock:
            files = self._held.pop(name)
        for path in files:
            path.unlink(missing_ok=True)

    def _files(self, name: str) -> list[Path]:
        pattern = re.compile(re.escape(name) + r"\.\d+")
        return sorted((path for path in self.folder.iterdir() if pattern.fullmatch(path.name)), key=_number)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            with self._lock:
                own = [files[-1] for files in self._held.values()]
            for path in own:
                with contextlib.suppress(OSError):
                    os.utime(path)


def _number(path: Path) -> int:
    return int(path.suffix[1:])


def _is_void(path: Path) -> bool:
    try:
        content, touched = path.read_text(), path.stat().st_mtime
    except FileNotFoundError:
        return False  # given back at this moment; whoever wants it may ask again
    host, _, process = content.partition(" ")
    if host == _host() and process:
        return not _runs(process)
    return time.time() - touched > STALE_AFTER


def _host() -> str:
    """This machine since its last start; containers of one machine differ by name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = "unknown"
    return f"{socket.gethostname()}/{boot}"


def _signature() -> str:
    return f"{_host()} {os.getpid()}/{_start_time(os.getpid())}"


def _runs(process: str) -> bool:
    number, _, started = process.partition("/")
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _start_time(int(number)) == started


def _start_time(process: int) -> str:
    """When a process started, in the kernel's ticks: tells a new process from an old one of the same number."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "unknown"
