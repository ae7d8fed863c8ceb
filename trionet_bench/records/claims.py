"""Claims on work, so that several runners on one results folder, on one machine or many, never do the same cell twice.

A claim is a file made by a link or by exclusive creation, which a shared file system lets exactly one process do. Its
holder counts up a number in it now and then. A claim is void when its process is gone (same machine, see ``Owner``), or
when whoever waits for it saw no change for ``STALE_AFTER`` seconds of its own monotonic clock, so that clocks of two
machines are never compared; so is a claim that is no file or says nothing that can be read. A void claim is never
removed by others, which could hit its successor: the next holder makes the file of the next number. A holder that was
taken for dead, such as one on a machine that slept, touches no claim that is no longer its own, and learns of it by
``lost``.
"""

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from trionet_bench.errors import StoreError
from trionet_bench.records.owner import Owner

HEARTBEAT = 20.0
STALE_AFTER = 240.0
_LONGEST = 1000  # bytes of a claim


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
        self.owner = Owner.here()
        self._clock = clock
        self._held: dict[str, list[Path]] = {}
        self._beats = 0
        self._lost: frozenset[str] = frozenset()
        self._seen: dict[Path, _Sighting] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._pulse = threading.Thread(target=self._keep_beating, name="claims", daemon=True)

    def __enter__(self) -> "Claims":
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self.folder} could not be made: {error.strerror}.") from error
        self.owner.leave_mark()
        self._pulse.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._pulse.join()
        for name in list(self._held):
            self.release(name)
        self.owner.remove_mark()

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
            _create(path, self.owner)
        except FileExistsError:
            return False
        except OSError as error:
            raise StoreError(f"{path} could not be written: {error.strerror}.") from error
        if self._files(name) != [*void, path]:  # the void claim was taken over and released while we looked at it
            path.unlink(missing_ok=True)
            return False
        with self._lock:
            self._held[name] = [*void, path]
        return True

    def release(self, name: str) -> None:
        """Give ``name`` back; void claims go first, so that ours is the last word until all are gone."""
        with self._lock:
            files = self._held.pop(name)
        if not self._is_ours(files[-1]):
            return
        void = {owner for path in files[:-1] if (owner := Owner.of_line(_content(path))) is not None}
        for path in files:
            with contextlib.suppress(OSError):  # beyond our reach: then others find it void in time
                path.unlink()
        if void:
            for owner in void.difference(Owner.of_line(_content(path)) for path in self._claims()):
                owner.remove_mark()

    def beat(self) -> None:
        """Show once that this runner is alive; called every ``HEARTBEAT`` seconds inside the context."""
        with self._lock:
            held = {name: files[-1] for name, files in self._held.items()}
            self._beats += 1
        for path in held.values():
            # Whoever waits bears with several beats that are lost; what is gone was released, or cleaned away by hand.
            if self._is_ours(path):
                with contextlib.suppress(OSError), path.open("r+b") as file:
                    file.write(self.owner.line(self._beats))
        with contextlib.suppress(StoreError):  # the next beat looks again
            self._lost = frozenset(name for name, path in held.items() if self._is_lost(name, path))

    def lost(self) -> frozenset[str]:
        """Names that this runner took and that were another's, or nobody's, when it last showed that it is alive."""
        return self._lost.intersection(self._held)

    def _is_lost(self, name: str, path: Path) -> bool:
        return _is_gone(path) or any(_number(other) > _number(path) for other in self._files(name))

    def _keep_beating(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            self.beat()

    def _files(self, name: str) -> list[Path]:
        pattern = re.compile(re.escape(name) + r"\.[0-9]+")
        return sorted((path for path in self._claims() if pattern.fullmatch(path.name)), key=_number)

    def _claims(self) -> list[Path]:
        try:
            return list(self.folder.iterdir())
        except OSError as error:
            raise StoreError(
                f"{self.folder} could not be read: {error.strerror}. Was the results folder moved during the run?"
            ) from error

    def _is_ours(self, path: Path) -> bool:
        """Whether a claim that we took is still ours; another runner may have taken us for dead."""
        return Owner.of_line(_content(path)) == self.owner

    def _is_void(self, path: Path) -> bool:
        try:
            modified_ns = path.lstat().st_mtime_ns
        except FileNotFoundError:
            return False  # given back at this moment; whoever wants it may ask again
        except OSError as error:
            raise StoreError(f"{path} could not be read: {error.strerror}.") from error
        content = _content(path)
        owner = Owner.of_line(content)
        if owner is not None and owner.is_gone():
            return True
        now, seen = self._clock(), self._seen.get(path)
        if seen is None or (seen.content, seen.modified_ns) != (content, modified_ns):
            seen = self._seen[path] = _Sighting(content, modified_ns, now)
        return now - seen.since > STALE_AFTER


def _content(path: Path) -> bytes:
    """The beginning of a claim; nothing where it cannot be read, or is no file."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                return file.read(_LONGEST)
    except OSError:
        pass
    return b""


def _is_gone(path: Path) -> bool:
    """Whether there certainly is no such file."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _create(path: Path, owner: Owner) -> None:
    """Make a claim that is never seen without its content, even by a kill; FileExistsError where there is one.

    Its draft has a name that no other runner uses: runners in containers have the same process numbers.
    """
    draft, content = path.with_name(f".{path.name}.{owner.token}"), owner.line(0)
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
