"""Who holds a claim: a machine, a process on it and a random token, and how others on that machine see it gone.

Containers and copies of a virtual machine may share a host name, and even all that a kernel says of itself. So a
process number is believed only where the holder has left an empty file, called by its token, in memory or a temporary
folder that other machines do not see.
"""

import contextlib
import os
import re
import secrets
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(rb"(\S{1,500}) ([0-9]{1,10})/(\S{1,40}) ([0-9a-f]{16}) [0-9]{12}\n")


@dataclass(frozen=True)
class Owner:
    """A runner that holds claims.

    Args:
        host: the machine since its last start and, in a container, the container.
        process: its number.
        started: when it started, in the kernel's ticks: tells a new process from an old one of the same number.
        token: 16 random hexadecimal digits, of this runner alone.
    """

    host: str
    process: int
    started: str
    token: str

    @classmethod
    def here(cls) -> "Owner":
        """This process, with a token that no other runner has."""
        return cls(_host(), os.getpid(), _start_time(os.getpid()), secrets.token_hex(8))

    @classmethod
    def of_line(cls, line: bytes) -> "Owner | None":
        """Who wrote a claim; None where it is not as ``line`` writes it."""
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        host, process, started, token = (part.decode(errors="replace") for part in found.groups())
        return cls(host, int(process), started, token)

    def line(self, beats: int) -> bytes:
        """What stands in a claim, always of the same length."""
        return f"{self.host} {self.process}/{self.started} {self.token} {beats:012}\n".encode()

    def is_gone(self) -> bool:
        """Whether it ran on this machine, certainly, and does no more."""
        return self.host == _host() and self._mark.exists() and not _runs(self.process, self.started)

    def leave_mark(self) -> None:
        """Let others on this machine know that it runs here; without that they only watch its claims."""
        with contextlib.suppress(OSError):
            self._mark.touch()

    def remove_mark(self) -> None:
        """Once it holds nothing any more."""
        with contextlib.suppress(OSError):
            self._mark.unlink()

    @property
    def _mark(self) -> Path:
        memory = Path("/dev/shm")
        folder = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
        return folder / f"trionet_bench-runner-{self.token}"


def _host() -> str:
    """What numbers processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        boot, namespace = "unknown", ""
    return re.sub(r"\s", "-", f"{socket.gethostname()}/{boot}/{namespace}")


def _runs(number: int, started: str) -> bool:
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return _start_time(number) == started


def _start_time(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "unknown"
