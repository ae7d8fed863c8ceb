"""Seeds that are added until every declared comparison is decided: when is looked, and what each look may spend.

A study that is looked at several times has as many chances to be wrong. What may be spent until a share t of all seeds
is there, alpha ln(1 + (e - 1) t), is the spending function of Pocock's type of Lan and DeMets 1983 (Biometrika 70,
659-663); a look decides at what the function has grown by since the one before. These parts add up to alpha, so that
all looks together err in at most alpha of all studies, however their data hang together (our choice: exact boundaries
for correlated looks spend less, but hold for one comparison of known variance). Simulated in ``analysis.look_errors``,
with a table in docs/reports.md.
"""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from trionet_bench.records.values import Strict

ALPHA = 0.05
_GROWTH = 1.5  # seeds of a look over those of the look before, about


class SeedPlan(Strict):
    """Seeds 0 to ``start`` - 1, then more until every declared comparison is decided, or there are ``most``."""

    start: int = Field(ge=2, description="Seeds of the first look.")
    most: int = Field(le=10_000, description="Seeds of the last look.")
    until: Literal["decided"] = "decided"

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.most <= self.start:
            raise ValueError(f"most ({self.most}) is not above start ({self.start}); write the seeds as a list")
        return self

    @property
    def looks(self) -> tuple[int, ...]:
        """How many seeds there are at each look."""
        counts = [self.start]
        while counts[-1] < self.most:
            counts.append(min(self.most, math.ceil(_GROWTH * counts[-1])))
        return tuple(counts)

    def level(self, seeds: int) -> float:
        """The level at which the look at so many seeds decides; those of all looks add up to ``ALPHA``."""
        before = max((count for count in self.looks if count < seeds), default=0)
        return _spent(seeds / self.most) - _spent(before / self.most)

    def reached(self, seeds: int) -> int:
        """The seeds of the last look that so many suffice for; those of the first where they suffice for none."""
        return max((count for count in self.looks if count <= seeds), default=self.start)

    def following(self, seeds: int) -> int | None:
        """The seeds of the look after the one at ``seeds``; None after the last."""
        return next((count for count in self.looks if count > seeds), None)


def _spent(share: float) -> float:
    return ALPHA * math.log(1 + (math.e - 1) * share)
