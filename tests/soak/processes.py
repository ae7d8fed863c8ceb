"""Processes of a run, as /proc knows them."""

from pathlib import Path


def descendants(pid: int) -> list[int]:
    """All processes below one, parents before their children; those that end meanwhile are left out."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found, open_ = [], [pid]
    while open_:
        below = sorted(children.get(open_.pop(0), []))
        found += below
        open_ += below
    return found


def group(leader: int) -> list[int]:
    """The living processes of a process group."""
    entries = (entry for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [int(entry.name) for entry in entries if _field(entry, 2) == leader and _state(entry) not in ("Z", "X", "")]


def resident_bytes(pid: str = "self") -> int:
    """Memory of a process that is in RAM and its own."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise OSError("no line Rss")


def _fields(entry: Path) -> list[str]:
    """What follows the name of the program in ``stat``."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _field(entry: Path, number: int) -> int | None:
    fields = _fields(entry)
    return int(fields[number]) if fields else None


def _parent(entry: Path) -> int | None:
    return _field(entry, 1)


def _state(entry: Path) -> str:
    return (_fields(entry) or [""])[0]
