"""What a results table prints: one row per (data set, budget, model), complete or marked as not."""

from functools import lru_cache

import numpy as np
import pandas as pd

from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.metrics import sign
from trionet_bench.analysis.pooled import PooledError, pooled_difference, shared_error
from trionet_bench.analysis.results import GROUP, Results
from trionet_bench.analysis.statistics import grouped_t_intervals, proportion_interval


@lru_cache(maxsize=8)
def summarise(results: Results, metric: str | None = None) -> pd.DataFrame:
    """Mean, spread and interval of ``metric``, by default the primary one on the test part, by group in report order.

    Columns: ``GROUP``, expected, done, failed, complete, n, mean, sd, low, high, interval, macs, params. A group that
    lacks a seed keeps its numbers but is not ``complete``: tables print a dash for it. ``interval`` is "t" over seeds;
    a single seed of a fraction gets "test-set", Wilson's interval over test images. Cached: do not change it in place.
    """
    metric = metric or results.score
    coverage = results.coverage()
    coverage = coverage[coverage.model.isin(results.competitors)]
    groups = (
        coverage.assign(done=coverage.status == "complete", failed=coverage.status == "failed")
        .groupby(GROUP, sort=False)
        .agg(expected=("seed", "size"), done=("done", "sum"), failed=("failed", "sum"))
        .reset_index()
    )
    groups["complete"] = groups.done == groups.expected
    cells = results.complete
    if metric in cells:
        values = grouped_t_intervals(cells, GROUP, metric)
        costs = cells.groupby(GROUP, sort=False)[["macs", "params"]].mean().reset_index()
        groups = groups.merge(values, on=GROUP, how="left").merge(costs, on=GROUP, how="left")
    else:
        groups = groups.assign(mean=np.nan, sd=np.nan, n=0, low=np.nan, high=np.nan, macs=np.nan, params=np.nan)
    groups["n"] = groups.n.fillna(0).astype(int)
    groups["interval"] = np.where(groups.n > 1, "t", "")
    return in_report_order(_single_seed_intervals(groups, results, metric), results)


def _single_seed_intervals(groups: pd.DataFrame, results: Results, metric: str) -> pd.DataFrame:
    single = groups.index[groups.n == 1]
    fractions = [f"test_{known.name}" for known in results.task.metrics if known.unit == "fraction"]
    if len(single) == 0 or metric not in fractions:
        return groups
    evaluated = results.complete.set_index(GROUP).evaluated
    for row in single:
        total = evaluated.get(tuple(groups.loc[row, GROUP]))
        if total is None or np.isnan(total):
            continue
        bounds = proportion_interval(round(groups.loc[row, "mean"] * total), int(total))
        groups.loc[row, ["low", "high", "interval"]] = [*bounds, "test-set"]
    return groups


def in_report_order(groups: pd.DataFrame, results: Results, by_model: bool = True) -> pd.DataFrame:
    """Sorted by data set and, unless said otherwise, model as the suite names them, by budget from small to large."""
    orders = {"dataset": results.datasets, "model": results.models}
    ranks = {name: {value: place for place, value in enumerate(order)} for name, order in orders.items()}
    return groups.sort_values(
        ["dataset", "budget", *(["model"] if by_model else [])],
        key=lambda column: column.map(ranks[column.name]) if column.name in ranks else column,
        kind="stable",
        ignore_index=True,
    )


@lru_cache(maxsize=8)
def mark_leaders(results: Results) -> pd.Series:
    """ "best", "second" or "" for each row of ``summarise``, by (data set, budget).

    Models whose difference to the best has a 95 % interval that contains 0, by the error that all models of the data
    set share (``analysis.pooled``), have its mark too. The second is the best of the rest, with the models that share
    its mark in the same way.
    """
    metric, direction = results.score, sign(results.primary)
    table = summarise(results)
    marks = pd.Series("", index=table.index)
    cells = results.complete
    wide = cells.pivot(index=["dataset", "budget", "seed"], columns="model", values=metric) if metric in cells else None
    for (dataset, budget), group in table[table.complete & table["mean"].notna()].groupby(
        ["dataset", "budget"], sort=False
    ):
        assert wide is not None
        remaining = group.sort_values("mean", ascending=direction < 0, kind="stable")
        error = shared_error(results, metric, budget, (dataset,))
        for mark in ("best", "second"):
            if remaining.empty or len(group) < 2:
                break
            by_seed = wide.loc[(dataset, budget)]
            leader = by_seed[remaining.model.iloc[0]].to_numpy()
            ahead = {row: direction * (leader - by_seed[model].to_numpy()) for row, model in remaining.model.items()}
            tied = [row for row, differences in ahead.items() if _tied(differences, error)]
            marks[tied] = mark
            remaining = remaining.drop(tied)
    return marks


def _tied(differences: np.ndarray, error: PooledError | None) -> bool:
    known = differences[~np.isnan(differences)]
    if error is None or len(known) == 0:
        return bool(known.mean() <= 0) if len(known) else False
    return pooled_difference([float(known.mean())], [len(known)], error).low <= 0


def by_seed(results: Results) -> pd.DataFrame:
    """The primary metric of every expected cell, one column per seed; NaN where it failed or is missing."""
    metric = results.score
    columns = [*CELL, metric] if metric in results.complete else CELL
    expected = results.declared.expected
    expected = expected[expected.model.isin(results.competitors)]
    frame = expected[CELL].merge(results.complete[columns], on=CELL, how="left")
    if metric not in frame:
        frame[metric] = np.nan
    wide = frame.pivot(index=GROUP, columns="seed", values=metric).reset_index()
    return in_report_order(wide.rename_axis(columns=None), results)
