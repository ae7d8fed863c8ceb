"""Claims on work, so that several runners on one results folder, on one machine or many, never do the same cell twice.

A claim is a file made by a link or by exclusive creation, which a shared file system lets exactly one process do. Its
holder counts up a number in it now and then. A claim is void when its process is gone (same machine), or when whoever
waits for it saw no change for ``STALE_AFTER`` seconds of its own monotonic clock, so that clocks of two machines are
never compared. A void claim is never removed by others, which could hit its successor: the next holder makes the file
of the next number.
"""

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from trionet_bench.errors import StoreError

HEARTBEAT = 20.0
STALE_AFTER = 240.0


class _Sighting(NamedTuple):
    """What a claim of another runner looked like, and when it was first seen so."""

    content: bytes
    modified_ns: int
    since: float


class Claims:
    """The claims of one runner in one folder; a context in which they are kept alive.

    Args:
        folder: where claim files are, the same for all runners; made on entry.
        clock: seconds that never go back, of this process alone.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._held: dict[str, list[Path]] = {}
        self._beats = 0
        self._seen: dict[Path, _Sighting] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._pulse = threading.Thread(target=self._keep_beating, name="claims", daemon=True)

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
        """Whether ``name`` is now ours; False while another runner works on it.

        A runner of another machine that died is noticed by asking again: ``STALE_AFTER`` seconds after the first time.
        StoreError where the folder cannot be read or written.
        """
        void = self._files(name)
        if void and not self._is_void(void[-1]):
            return False
        number = _number(void[-1]) + 1 if void else 0
        path = self.folder / f"{name}.{number}"
        try:
            _create(path, _content(0))
        except FileExistsError:
            return False
        except OSError as error:
            raise StoreError(f"{path} could not be written: {error.strerror}.") from error
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

    def beat(self) -> None:
        """Show once that this runner is alive; called every ``HEARTBEAT`` seconds inside the context."""
        with self._lock:
            held = [files[-1] for files in self._held.values()]
            self._beats += 1
        for path in held:
            # Whoever waits bears with several beats that are lost; what is gone was released, or cleaned away by hand.
            with contextlib.suppress(OSError), path.open("r+b") as file:
                file.write(_content(self._beats))

    def _keep_beating(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            self.beat()

    def _files(self, name: str) -> list[Path]:
        pattern = re.compile(re.escape(name) + r"\.\d+")
        try:
            return sorted((path for path in self.folder.iterdir() if pattern.fullmatch(path.name)), key=_number)
        except OSError as error:
            raise StoreError(
                f"{self.folder} could not be read: {error.strerror}. Was the results folder moved during the run?"
            ) from error

    def _is_void(self, path: Path) -> bool:
        try:
            content, modified_ns = path.read_bytes(), path.stat().st_mtime_ns
        except FileNotFoundError:
            return False  # given back at this moment; whoever wants it may ask again
        host, _, rest = content.decode(errors="replace").partition(" ")
        process = re.match(r"(\d+)/(\S+)", rest)
        if host == _host() and process:
            return not _runs(int(process[1]), process[2])
        now, seen = self._clock(), self._seen.get(path)
        if seen is None or (seen.content, seen.modified_ns) != (content, modified_ns):
            seen = self._seen[path] = _Sighting(content, modified_ns, now)
        return now - seen.since > STALE_AFTER


def _create(path: Path, content: bytes) -> None:
    """Make a file that is never seen without its content, even by a kill; FileExistsError where there is one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        try:
            os.link(draft, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            with path.open("xb") as file:
                file.write(content)
    finally:
        draft.unlink(missing_ok=True)


def _number(path: Path) -> int:
    return int(path.suffix[1:])


def _content(beats: int) -> bytes:
    """One line, always of the same length: the machine, the process and its start, the beats so far."""
    return f"{_host()} {os.getpid()}/{_start_time(os.getpid())} {beats:012}\n".encode()


def _host() -> str:
    """What numbers processes: this machine since its last start and, in a container, the container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        boot, namespace = "unknown", ""
    return f"{socket.gethostname()}/{boot}/{namespace}".replace(" ", "-")


def _runs(number: int, started: str) -> bool:
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return _start_time(number) == started


def _start_time(process: int) -> str:
    """When a process started, in the kernel's ticks: tells a new process from an old one of the same number."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "unknown"
