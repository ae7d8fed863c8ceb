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
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from trionet_bench.analysis.crossed import ImagePart, crossed

LEVEL = 0.95
EXACT_PAIRS = 16  # up to here all 2**n sign patterns are enumerated
RESAMPLES = 1999  # beyond, this many are drawn
_NO_SPREAD = 1e-18  # of a variance: rounding


@dataclass(frozen=True)
class Interval:
    """A mean with its spread (sample standard deviation) and a 95 % interval.

    NaN where ``n`` does not allow one, and where nothing varies: an interval of no width claims what is not known.
    """

    mean: float
    sd: float
    n: int
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval, standard error, degrees of freedom and two-sided p of being 0.

    NaN where nothing varies.
    """

    mean: float
    low: float
    high: float
    spread: float
    df: float
    p: float


@dataclass(frozen=True)
class Difference:
    """A paired difference, candidate minus baseline.

    ``p`` is of the paired t-test, ``p_sign_flip`` of the sign-flip test and ``p_smallest`` the least that the latter
    can be with so few pairs. NaN where nothing varies or the pairs are too few.
    """

    mean: float
    low: float
    high: float
    pairs: int
    df: float
    p: float
    p_sign_flip: float
    p_smallest: float


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
    half = _quantile(level, n - 1) * sd / np.sqrt(n) if sd**2 > _NO_SPREAD else np.nan
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
        half = half.where(table.sd**2 > _NO_SPREAD)
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def proportion_interval(successes: ArrayLike, total: ArrayLike, level: float = LEVEL) -> tuple[Any, Any]:
    """Wilson's interval of a share, or of each of many."""
    low, high = proportion_confint(np.asarray(successes), np.asarray(total), alpha=1 - level, method="wilson")
    return low, high


def paired_difference(
    differences: Sequence[float], strata: Sequence[Hashable] | None = None, parts: Sequence[ImagePart] = ()
) -> Difference:
    """Mean of paired differences over ``strata`` (data sets) with equal weights, with the spread within them.

    The interval speaks of these strata under new seeds, and with ``parts`` under new test images. With one stratum and
    no parts it is the paired t-interval.

    Args:
        parts: what the test images of each stratum add.
    """
    values = np.asarray(differences, float)
    grouped = pd.Series(values).groupby(list(strata) if strata is not None else np.zeros(len(values)), sort=False)
    means, sizes = grouped.mean(), grouped.size()
    mean, df = float(means.mean()), len(values) - len(means)
    flip, smallest = sign_flip(values)
    within = float(((values - grouped.transform("mean")) ** 2).sum())
    by_seeds = within / df * float((1 / sizes).sum()) / len(means) ** 2 if df > 0 else 0.0
    known = estimate(mean, by_seeds, max(df, 1), [part.scaled(1 / len(means) ** 2) for part in parts])
    p = known.p if df > 0 else np.nan
    return Difference(mean, known.low, known.high, len(values), known.df, p, flip, smallest)


def estimate(mean: float, by_seeds: float, df: float, parts: Sequence[ImagePart] = ()) -> Estimate:
    """Student's interval of a mean whose variance is known by its seeds, with ``df`` degrees, and its test images."""
    variance, degrees = crossed(by_seeds if by_seeds > _NO_SPREAD else 0.0, df, parts)
    if variance == 0:
        return Estimate(mean, np.nan, np.nan, 0.0, degrees, np.nan)
    spread = float(np.sqrt(variance))
    half = float(stats.t.ppf((1 + LEVEL) / 2, degrees)) * spread
    return Estimate(mean, mean - half, mean + half, spread, degrees, 2 * float(stats.t.sf(abs(mean) / spread, degrees)))


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
