"""Uncertainty of metrics: over seeds, between models, image by image. All tests are two-sided unless said.

Intervals over seeds are t-intervals: a percentile bootstrap on three seeds covers 75 % where it claims 95 %.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

LEVEL = 0.95
EXACT_PAIRS = 16  # up to here all 2**n sign patterns are enumerated
RESAMPLES = 1999  # beyond, this many are drawn


@dataclass(frozen=True)
class Interval:
    """A mean with its spread (sample standard deviation) and a 95 % interval; NaN where ``n`` does not allow one."""

    mean: float
    sd: float
    n: int
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A paired difference, candidate minus baseline.

    ``p`` is of the paired t-test, ``p_sign_flip`` of the sign-flip test and ``p_smallest`` the least that the latter
    can be with so few pairs. ``p_noninferior`` is one-sided, against the margin. NaN where the pairs do not vary or are
    too few.
    """

    mean: float
    low: float
    high: float
    pairs: int
    df: int
    p: float
    p_sign_flip: float
    p_smallest: float
    p_noninferior: float


def t_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """Mean of independent values with Student's interval."""
    array = np.asarray(values, float)
    n = len(array)
    if n == 0:
        return Interval(np.nan, np.nan, 0, np.nan, np.nan)
    mean = float(array.mean())
    if n == 1:
        return Interval(mean, np.nan, 1, np.nan, np.nan)
    sd = float(array.std(ddof=1))
    half = _quantile(level, n - 1) * sd / np.sqrt(n)
    return Interval(mean, sd, n, mean - half, mean + half)


@lru_cache
def _quantile(level: float, df: int) -> float:
    return float(stats.t.ppf((1 + level) / 2, df))


def grouped_t_intervals(frame: pd.DataFrame, by: list[str], value: str, level: float = LEVEL) -> pd.DataFrame:
    """``t_interval`` of ``value`` for every group, as columns mean, sd, n, low, high."""
    grouped = frame.dropna(subset=[value]).groupby(by, sort=False)[value]
    table = grouped.agg(mean="mean", sd="std", n="count").reset_index()
    with np.errstate(invalid="ignore"):
        half = stats.t.ppf((1 + level) / 2, np.maximum(table.n - 1, 1)) * table.sd / np.sqrt(table.n)
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def proportion_interval(successes: ArrayLike, total: ArrayLike, level: float = LEVEL) -> tuple[Any, Any]:
    """Wilson's interval of a share, or of each of many."""
    low, high = proportion_confint(np.asarray(successes), np.asarray(total), alpha=1 - level, method="wilson")
    return low, high


def paired_difference(
    differences: Sequence[float],
    strata: Sequence[Hashable] | None = None,
    margin: float | None = None,
    direction: int = 1,
) -> Difference:
    """Mean of paired differences over ``strata`` (data sets) with equal weights, with the spread within them.

    The interval speaks of these strata under new seeds. With one stratum it is the paired t-interval.

    Args:
        margin: in the unit of the differences; the claim tested by ``p_noninferior`` is that the mean is worse than 0
            by less than this.
        direction: 1 where positive differences are better, -1 where negative ones are.
    """
    values = np.asarray(differences, float)
    labels = pd.Series(["all"] * len(values) if strata is None else list(strata))
    design = pd.get_dummies(labels, dtype=float)
    average = np.full((1, design.shape[1]), 1 / design.shape[1])
    means = [values[labels == label].mean() for label in design.columns]
    mean, df = float(np.mean(means)), len(values) - design.shape[1]
    flip, smallest = sign_flip(values)
    spread = sum(float(values[labels == label].var()) for label in design.columns)
    if df < 1 or spread < 1e-18:
        bound = mean if df > 0 else np.nan
        return Difference(mean, bound, bound, len(values), max(df, 0), np.nan, flip, smallest, np.nan)
    fit = OLS(values, design.to_numpy()).fit()
    test = fit.t_test(average)
    low, high = test.conf_int(alpha=1 - LEVEL)[0]
    noninferior = np.nan
    if margin is not None:
        against = fit.t_test((average, np.array([-direction * margin])))
        noninferior = float(stats.t.sf(direction * float(np.squeeze(against.tvalue)), df))
    return Difference(
        mean, float(low), float(high), len(values), df, float(np.squeeze(test.pvalue)), flip, smallest, noninferior
    )


def sign_flip(differences: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Two-sided sign-flip p of paired differences, and the smallest p that this many pairs can give."""
    values = np.asarray(differences, float)
    if len(values) < 2:
        return np.nan, np.nan
    exact = len(values) <= EXACT_PAIRS
    result = stats.permutation_test(
        (values, np.zeros_like(values)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**EXACT_PAIRS if exact else RESAMPLES,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue), 2.0 ** (1 - len(values)) if exact else 2 / (RESAMPLES + 1)


def mcnemar_exact(baseline_correct: np.ndarray, candidate_correct: np.ndarray) -> tuple[int, int, float]:
    """Images that only the baseline and only the candidate got right, and McNemar's exact p for the two counts."""
    baseline, candidate = np.asarray(baseline_correct, bool), np.asarray(candidate_correct, bool)
    only_baseline = int((baseline & ~candidate).sum())
    only_candidate = int((candidate & ~baseline).sum())
    both, neither = int((baseline & candidate).sum()), int((~baseline & ~candidate).sum())
    result = mcnemar([[both, only_baseline], [only_candidate, neither]], exact=True)
    return only_baseline, only_candidate, float(result.pvalue)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p-values; NaN entries stay NaN and do not count."""
    values = np.asarray(p_values, float)
    adjusted = np.full(len(values), np.nan)
    known = ~np.isnan(values)
    if known.any():
        adjusted[known] = multipletests(values[known], method="holm")[1]
    return adjusted
