"""One error for all models of a study: what is left of a value without its model and its seed.

A pairwise t-test of three seeds knows the error of a difference with two degrees of freedom, and its interval is four
times that error. All models of a data set and a budget share seeds and a recipe, so their residuals of the additive
model ``value = model + seed`` estimate one error, with (models - 1) (seeds - 1) degrees of freedom (our choice; it
assumes that training is about equally noisy in all models). Data sets are fitted one by one and their errors pooled.
Coverage is simulated in tests/analysis/test_analysis_pooled.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import stats

from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import LEVEL

_NO_SPREAD = 1e-18  # of a mean square: rounding


@dataclass(frozen=True)
class PooledError:
    """Error of one run and the F test of whether models differ at all.

    Args:
        sd: residual standard deviation, in the unit of the values.
        df: its degrees of freedom.
        models: how many shared it.
        p: of the F test; NaN where nothing varies.
    """

    sd: float
    df: int
    models: int
    p: float


@dataclass(frozen=True)
class PooledDifference:
    """A difference with its 95 % interval, two-sided p, and one-sided p against the margin."""

    mean: float
    low: float
    high: float
    p: float
    p_noninferior: float


def pooled_error(values: pd.DataFrame) -> PooledError | None:
    """From columns dataset, seed, model, value; in each data set the models that have every seed count.

    None where no two models share two seeds, or where nothing varies.
    """
    residual = between = 0.0
    df = df_between = models = 0
    for _, of_set in values.groupby("dataset", sort=False):
        wide = of_set.pivot(index="seed", columns="model", values="value").dropna(axis=1)  # (seeds, models)
        seeds, count = wide.shape
        if seeds < 2 or count < 2:
            continue
        table = wide.to_numpy(float)
        of_model = table.mean(axis=0) - table.mean()
        left = table - table.mean(axis=1, keepdims=True) - of_model
        residual += float((left**2).sum())
        between += seeds * float((of_model**2).sum())
        df += (seeds - 1) * (count - 1)
        df_between += count - 1
        models = max(models, count)
    if df == 0 or residual / df < _NO_SPREAD:
        return None
    f = (between / df_between) / (residual / df)
    return PooledError(float(np.sqrt(residual / df)), df, models, float(stats.f.sf(f, df_between, df)))


@lru_cache(maxsize=64)  # every candidate of a comparison asks for the same
def shared_error(
    results: Results, metric: str, budget: int, datasets: tuple[str, ...] | None = None
) -> PooledError | None:
    """Of a metric over all competitors at a budget, on all data sets or some."""
    cells = results.complete
    if metric not in cells:
        return None
    cells = cells[(cells.budget == budget) & cells.model.isin(results.competitors)].dropna(subset=[metric])
    if datasets is not None:
        cells = cells[cells.dataset.isin(datasets)]
    return pooled_error(cells[["dataset", "seed", "model"]].assign(value=cells[metric]))


def pooled_difference(
    means: Sequence[float], seeds: Sequence[int], error: PooledError, margin: float | None = None, direction: int = 1
) -> PooledDifference:
    """The mean over data sets of a difference between two models.

    Args:
        means: the difference on each data set.
        seeds: how many each is a mean of.
        margin, direction: as of ``statistics.paired_difference``.
    """
    mean = float(np.mean(means))
    spread = error.sd * float(np.sqrt(sum(2 / n for n in seeds))) / len(seeds)
    half = float(stats.t.ppf((1 + LEVEL) / 2, error.df)) * spread
    p = 2 * float(stats.t.sf(abs(mean) / spread, error.df))
    noninferior = np.nan
    if margin is not None:
        noninferior = float(stats.t.sf((direction * mean + margin) / spread, error.df))
    return PooledDifference(mean, mean - half, mean + half, p, noninferior)
