"""One error for all models of a study: what is left of a value without its model and its seed.

A pairwise t-test of three seeds knows the error of a difference with two degrees of freedom, and its interval is four
times that error. All models of a data set and a budget share seeds and a recipe, so their residuals of the additive
model ``value = model + seed`` estimate one error, with (models - 1) (seeds - 1) degrees of freedom (our choice; it
assumes that training is about equally noisy in all models). Data sets are fitted one by one and their errors pooled.
What the test images add comes from ``analysis.crossed``. Coverage is simulated in ``analysis.coverage``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from trionet_bench.analysis.crossed import ImagePart, crossed, models_by_images
from trionet_bench.analysis.gaps import without_gaps
from trionet_bench.analysis.image_scores import image_scores
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import Estimate, estimate

_NO_SPREAD = 1e-18  # of a mean square: rounding


Scores = Mapping[tuple[str, str, int], NDArray[np.float64]]  # of each image, by data set, model and seed


@dataclass(frozen=True)
class PooledError:
    """Error of one run and the F test of whether models differ at all.

    Args:
        sd: residual standard deviation, in the unit of the values; 0 where nothing varies.
        df: its degrees of freedom.
        models: how many shared it.
        p: of the F test; NaN where nothing varies.
        between: mean square between models, of means times seeds: in the unit of the variance of one run.
        df_between: its degrees of freedom.
        noise: what this is where models do not differ, by seeds and images.
        df_noise: degrees of freedom of that.
        seeds: mean number over data sets.
    """

    sd: float
    df: int
    models: int
    p: float
    between: float
    df_between: int
    noise: float
    df_noise: float
    seeds: float


def pooled_error(values: pd.DataFrame, scores: Scores | None = None) -> PooledError | None:
    """From columns dataset, seed, model, value; in each data set those models and seeds without a gap count that give
    the most degrees of freedom.

    Args:
        scores: of single images, whose means are the values; the F test then counts their noise too.

    None where no two models share two seeds.
    """
    residual = between = 0.0
    df = df_between = models = 0
    seeds_of: list[int] = []
    parts: list[ImagePart] = []
    for dataset, of_set in values.groupby("dataset", sort=False):
        wide = without_gaps(of_set.pivot(index="seed", columns="model", values="value"), _degrees)  # (seeds, models)
        if wide is None or _degrees(wide) == 0:
            continue
        seeds, count = wide.shape
        table = wide.to_numpy(float)
        of_model = table.mean(axis=0) - table.mean()
        left = table - table.mean(axis=1, keepdims=True) - of_model
        residual += float((left**2).sum())
        between += seeds * float((of_model**2).sum())
        df += (seeds - 1) * (count - 1)
        df_between += count - 1
        models = max(models, count)
        seeds_of.append(seeds)
        known = [(scores or {}).get((str(dataset), model, seed)) for seed in wide.index for model in wide.columns]
        found = [row for row in known if row is not None]
        if len(found) == len(known):
            parts.append(models_by_images(np.reshape(found, (seeds, count, -1))).scaled(count - 1))
    if df == 0:
        return None
    error = residual / df if residual / df >= _NO_SPREAD else 0.0
    noise, df_noise = crossed(error, df, [part.scaled(1 / df_between) for part in parts])
    square = between / df_between
    p = float(stats.f.sf(square / noise, df_between, df_noise)) if noise > 0 else np.nan
    return PooledError(
        float(np.sqrt(error)), df, models, p, square, df_between, noise, df_noise, float(np.mean(seeds_of))
    )


def _degrees(table: pd.DataFrame) -> int:
    """Degrees of freedom of the residuals of (seeds, models)."""
    seeds, models = table.shape
    return int(max(0, seeds - 1) * max(0, models - 1))


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
    scores: Scores = {}
    if metric == results.score:
        scores = {(d, m, s): values for (d, b, m, s), values in image_scores(results).items() if b == budget}
    return pooled_error(cells[["dataset", "seed", "model"]].assign(value=cells[metric]), scores)


def pooled_difference(
    means: Sequence[float], seeds: Sequence[int], error: PooledError, parts: Sequence[ImagePart] = ()
) -> Estimate:
    """The mean over data sets of a difference between two models.

    Args:
        means: the difference on each data set.
        seeds: how many each is a mean of.
        parts: what the test images of each add.
    """
    by_seeds = error.sd**2 * sum(2 / n for n in seeds) / len(seeds) ** 2
    return estimate(float(np.mean(means)), by_seeds, error.df, [part.scaled(1 / len(seeds) ** 2) for part in parts])


def noninferiority(difference: Estimate, margin: float | None, direction: int) -> float:
    """One-sided p against the difference being worse than 0 by the margin or more; NaN without a margin.

    Args:
        direction: 1 where positive differences are better, -1 where negative ones are.
    """
    if margin is None or difference.spread == 0:
        return np.nan
    return float(stats.t.sf((direction * difference.mean + margin) / difference.spread, difference.df))
