"""What Linux says of the processor; nothing here imports torch."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def described(name: str, file: Path = CPUINFO) -> str:
    """What the first processor has under a name such as "flags" or "model name"; "" where it says nothing.

    Args:
        file: the description, in Linux's format; it may be missing.
    """
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
