"""A metric against cost: which points are Pareto-optimal, and how much of the plane they dominate."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trionet_bench.analysis.metrics import is_accuracy, sign
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import t_interval


def front(cost: ArrayLike, value: ArrayLike, direction: int = 1) -> np.ndarray:
    """True for Pareto-optimal points: no other is better at no higher cost, or as good at a lower one.

    Args:
        direction: 1 where higher values are better, -1 where lower ones are.
    """
    costs, values = np.asarray(cost, float), direction * np.asarray(value, float)
    order = np.lexsort((-values, costs))
    best = -np.inf
    mask = np.zeros(len(costs), bool)
    for index in order:
        if values[index] > best:
            mask[index], best = True, values[index]
    # Copies of a point on the front are on it too.
    for index in np.flatnonzero(mask):
        mask |= (costs == costs[index]) & (values == values[index])
    return mask


def hypervolume(cost: ArrayLike, value: ArrayLike, reference: tuple[float, float]) -> float:
    """Area that the points dominate up to ``reference`` (largest cost, least value), over that of the box to (0, 1)."""
    limit, floor = reference
    costs, values = np.asarray(cost, float), np.asarray(value, float)
    inside = (costs < limit) & (values > floor)
    costs, values = costs[inside], values[inside]
    keep = front(costs, values)
    order = np.argsort(costs[keep], kind="stable")
    steps = np.append(costs[keep][order], limit)
    area = float((np.diff(steps) * (values[keep][order] - floor)).sum())
    return area / (limit * (1 - floor))


def hypervolumes(results: Results) -> pd.DataFrame:
    """Hypervolume of each model over its budgets, one value per seed, with a t-interval over seeds.

    The reference point is 1.05 times the largest budget and chance accuracy (0 for a metric that is no accuracy), so
    that no point of the suite lies on it. Only models with at least two budgets; NaN where a cell of the model is
    lacking. Empty where the primary metric is not a fraction of which more is better: its plane has no upper end.
    """
    keys = ["dataset", "model"]
    asked = results.declared.expected.groupby(keys, sort=False).agg(
        budgets=("budget", "nunique"), cells=("seed", "size")
    )
    limit = 1.05 * max(results.budgets)
    rows = []
    columns = [*keys, "budgets", "n", "hypervolume", "sd", "low", "high"]
    if results.primary.unit != "fraction" or sign(results.primary) < 0:
        return pd.DataFrame(columns=columns)
    cells = results.complete
    for key, group in cells[cells.model.isin(results.competitors)].groupby(keys, sort=False):
        budgets, expected = asked.loc[key]
        if budgets < 2:
            continue
        classes = group.classes.iloc[0]
        chance = 1 / classes if is_accuracy(results.primary) and classes and classes > 0 else 0.0
        areas = [hypervolume(seed.macs, seed[results.score], (limit, chance)) for _, seed in group.groupby("seed")]
        interval = t_interval(areas if len(group) == expected else [])
        rows.append((*key, budgets, interval.n, interval.mean, interval.sd, interval.low, interval.high))
    return pd.DataFrame(rows, columns=columns)
