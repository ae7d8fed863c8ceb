"""Accuracy against cost: which points no other beats, and how much of the plane they cover."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import t_interval


def front(cost: ArrayLike, value: ArrayLike) -> np.ndarray:
    """True for points that no other beats: none costs at most as much and is worth more, or costs less for the same."""
    costs, values = np.asarray(cost, float), np.asarray(value, float)
    order = np.lexsort((-values, costs))
    best = -np.inf
    mask = np.zeros(len(costs), bool)
    for index in order:
        if values[index] > best:
            mask[index], best = True, values[index]
    # Points equal to one of the front in both are not beaten either.
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


def hypervolumes(results: Results, metric: str = "test_top1") -> pd.DataFrame:
    """Hypervolume of each model over its budgets, one value per seed, with a t-interval over seeds.

    The reference point is 1.05 times the largest budget and chance accuracy, so that no point of the suite lies on it.
    Only models with at least two budgets; NaN where a cell of the model is lacking.
    """
    keys = ["dataset", "model"]
    asked = results.declared.expected.groupby(keys, sort=False).agg(
        budgets=("budget", "nunique"), cells=("seed", "size")
    )
    limit = 1.05 * max(results.budgets)
    rows = []
    for key, group in results.complete.groupby(keys, sort=False):
        budgets, cells = asked.loc[key]
        if budgets < 2:
            continue
        classes = group.classes.iloc[0]
        chance = 1 / classes if classes and classes > 0 else 0.0
        areas = [hypervolume(seed.macs, seed[metric], (limit, chance)) for _, seed in group.groupby("seed")]
        interval = t_interval(areas if len(group) == cells else [])
        rows.append((*key, budgets, interval.n, interval.mean, interval.sd, interval.low, interval.high))
    return pd.DataFrame(rows, columns=[*keys, "budgets", "n", "hypervolume", "sd", "low", "high"])
