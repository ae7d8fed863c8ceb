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
    Only models with at least two budgets, and only seeds that have them all.
    """
    cells = results.complete
    rows = []
    limit = 1.05 * max(results.budgets)
    for (dataset, model), group in cells.groupby(["dataset", "model"], sort=False):
        budgets = results.declared.expected.query("dataset == @dataset and model == @model").budget.nunique()
        classes = group.classes.iloc[0]
        chance = 1 / classes if classes and classes > 0 else 0.0
        whole = [seed for _, seed in group.groupby("seed") if seed.budget.nunique() == budgets and budgets > 1]
        if whole:
            interval = t_interval([hypervolume(seed.macs, seed[metric], (limit, chance)) for seed in whole])
            rows.append((dataset, model, budgets, interval.n, interval.mean, interval.sd, interval.low, interval.high))
    return pd.DataFrame(rows, columns=["dataset", "model", "budgets", "n", "hypervolume", "sd", "low", "high"])
