"""What a part of the soak did, and what it found."""

import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from trionet_bench.jsontypes import JsonObject

Figure = int | float | str


@dataclass(frozen=True)
class Finding:
    """Something that is not as it is promised.

    Args:
        where: what was done, so that it can be done again.
        what: what came of it.
    """

    where: str
    what: str


@dataclass
class Outcome:
    """Of one part.

    Args:
        figures: what was done how often, by name.
        findings: empty where everything held.
        skipped: why the part could not be carried out, or None.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    skipped: str | None = None

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a figure."""
        self.figures[name] = int(self.figures.get(name, 0)) + amount

    def found(self, where: str, *what: str) -> None:
        """Note findings."""
        self.findings += [Finding(where, each) for each in what]

    def to_dict(self) -> JsonObject:
        """For JSON."""
        return asdict(self)


def told(figures: Mapping[str, Figure]) -> str:
    """Figures in a line."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items()
    )


def error_text(error: BaseException) -> str:
    """An exception with the places that it came through, in a line."""
    places = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    return f"{type(error).__name__}: {str(error)[:300]} ({' '.join(places)})"
