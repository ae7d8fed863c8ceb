"""Looks at a study whose seeds are added until its comparisons are decided (``suite.seeds``)."""

from dataclasses import dataclass
from pathlib import Path

from trionet_bench.suite.specification import Suite
from trionet_bench.units import counted


@dataclass(frozen=True)
class Look:
    """How many of the declared comparisons are decided, and the suite with more seeds where that is wanted."""

    decided: int
    comparisons: int
    following: Suite | None

    @property
    def text(self) -> str:
        """One line for people."""
        state = f"{self.decided} of {counted(self.comparisons, 'comparison')} decided"
        if self.following is not None:
            return f"{state}; going on to {len(self.following.seeds)} seeds"
        return state if self.decided == self.comparisons else f"{state}, and no more seeds are planned"


def look_at(suite: Suite, folder: Path) -> Look | None:
    """The look at a complete study; None where its seeds are fixed."""
    if suite.seed_plan is None:
        return None
    from trionet_bench.analysis.comparisons import (
        DECIDED,
        compare,
    )  # pandas, which a study of fixed seeds does not need
    from trionet_bench.analysis.results import load_by_task

    verdicts: list[str] = []
    for results in load_by_task([folder]):
        table = compare(results)
        verdicts += table.verdict[table.declared.astype(bool)].tolist()
    decided = sum(verdict in DECIDED for verdict in verdicts)
    more = suite.seed_plan.following(len(suite.seeds)) if decided < len(verdicts) else None
    return Look(decided, len(verdicts), suite.at(more) if more else None)
