"""How far the models of a study differ beyond noise: what the choice among them is worth.

The models of a budget are networks of one cost that differ in which operator stands where. By the additive model
``value = model + seed`` of each data set, the mean square between models is that of noise plus n times the variance
between models (random effects, n seeds), where noise is of seeds and test images (``analysis.pooled``). The interval is
the exact one for the ratio of the two variances by F (Searle 1971, chapter 9), with the noise as estimated.
"""

import math
from dataclasses import dataclass

from scipy import stats

from trionet_bench.analysis.controls import asked_datasets
from trionet_bench.analysis.pooled import PooledError, shared_error
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import LEVEL


@dataclass(frozen=True)
class Spread:
    """Standard deviation between models without noise, with its 95 % interval, in values of the metric."""

    models: int
    budget: int
    sd: float
    low: float
    high: float


def spread_of_models(results: Results) -> Spread | None:
    """At the largest budget, over the data sets that are no controls.

    None below three models or two seeds, and where nothing varies.
    """
    budget, datasets = results.budgets[-1], tuple(asked_datasets(results))
    error = shared_error(results, results.score, budget, datasets)
    if error is None or error.models < 3 or error.noise == 0:
        return None
    low, sd, high = between_models(error)
    return Spread(error.models, budget, sd, low, high)


def between_models(error: PooledError) -> tuple[float, float, float]:
    """Lower end, estimate and upper end of the standard deviation between models; what is negative counts as 0."""
    ratio = error.between / error.noise
    highest, lowest = stats.f.ppf([0.5 * (1 + LEVEL), 0.5 * (1 - LEVEL)], error.df_between, error.df_noise)
    variances = ((each - 1) * error.noise / error.seeds for each in (ratio / highest, ratio, ratio / lowest))
    low, sd, high = (math.sqrt(max(0.0, variance)) for variance in variances)
    return low, sd, high
