"""The difference between two models that a study of some size shows, by the noncentral t distribution.

With k models and n seeds on d data sets the error that all models share has (k - 1) (n - 1) d degrees of freedom, and a
difference of two models over all data sets has the variance 2 sd^2 / (n d), beside that of the test images.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from trionet_bench.analysis.statistics import LEVEL

POWER = 0.8
MOST_SEEDS = 200


@dataclass(frozen=True)
class Design:
    """What a study compares, and how much its values vary.

    Args:
        tests: that Holm's correction runs over; a difference is judged as the first of them is.
        of_run: variance of one run; 1 where differences are in its standard deviations.
        of_images: variance of a difference by its test images, however many seeds; 0 where that is not known.
        level: two-sided, of all tests together.
    """

    models: int
    datasets: int = 1
    tests: int = 1
    of_run: float = 1.0
    of_images: float = 0.0
    level: float = 1 - LEVEL

    def df(self, seeds: int) -> int:
        """Degrees of freedom of the error that all models share; 0 with one seed or one model."""
        return (self.models - 1) * (seeds - 1) * self.datasets

    def by_seeds(self, seeds: int) -> float:
        """Variance of a difference of two models by its runs."""
        return 2 * self.of_run / seeds / self.datasets

    def shown(self, seeds: int) -> float:
        """The difference that is shown with a chance of ``POWER``, with at least two seeds and two models."""
        by_seeds = self.by_seeds(seeds)
        variance = by_seeds + self.of_images
        df = self.df(seeds) * (variance / by_seeds) ** 2 if by_seeds > 0 else 1e6
        limit = float(stats.t.isf(self.level / self.tests / 2, df))
        reached = brentq(lambda far: float(stats.nct.sf(limit, df, far)) - POWER, 0.0, limit + 20)
        return float(reached * np.sqrt(variance))

    def seeds_for(self, difference: float) -> int | None:
        """The fewest seeds that show it; None for NaN and where ``MOST_SEEDS`` do not."""
        if np.isnan(difference) or self.shown(MOST_SEEDS) > difference:
            return None
        low, high = 1, MOST_SEEDS
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.shown(middle) <= difference else (middle, high)
        return high
