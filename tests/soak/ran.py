"""How a run of the program ended, and what none may say."""

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parents[2]
GIVEN_UP_AFTER = 600.0  # seconds of one run
_FAULTS = ("Traceback (most recent call last)", "This is a fault of the program", "it does not end")


@dataclass(frozen=True)
class Ran:
    """How a run ended: its exit status (negative: the signal), and what it said on both streams."""

    code: int
    said: str

    @property
    def faults(self) -> list[str]:
        """What it must not say."""
        return [self.tail for text in _FAULTS if text in self.said][:1]

    @property
    def tail(self) -> str:
        """The end of what it said, in a line."""
        return " | ".join(self.said.strip().splitlines()[-8:])[-900:]


class Running(Protocol):
    """A run under way, in a process group of its own."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code, None where it has not ended."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended; TimeoutExpired."""


def ended(process: Running, log: Path) -> Ran:
    """Wait for a run; one that does not end is killed."""
    try:
        code = process.wait(GIVEN_UP_AFTER)
    except subprocess.TimeoutExpired:
        kill_group(process)
        return Ran(process.wait(), f"it does not end: {log.read_text(errors='replace')}")
    return Ran(code, log.read_text(errors="replace"))


def kill_group(process: Running) -> None:
    """SIGKILL for a run and everything below it; nothing where it has ended."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it has no group of its own yet
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
