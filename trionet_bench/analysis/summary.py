"""What a results table prints: one row per (data set, budget, model), complete or marked as not."""

from functools import lru_cache, partial

import numpy as np
import pandas as pd

from trionet_bench.analysis.crossed import NOTHING_KNOWN, ImagePart
from trionet_bench.analysis.image_scores import part_of_difference, part_of_mean
from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.metrics import sign
from trionet_bench.analysis.pooled import PooledError, pooled_difference, shared_error
from trionet_bench.analysis.results import GROUP, Results
from trionet_bench.analysis.statistics import estimate, grouped_t_intervals, proportion_interval


@lru_cache(maxsize=8)
def summarise(results: Results, metric: str | None = None) -> pd.DataFrame:
    """Mean, spread and interval of ``metric``, by default the primary one on the test part, by group in report order.

    Columns: ``GROUP``, expected, done, failed, complete, shown, n, mean, sd, low, high, interval, macs, params, and
    doubtful, where a record of the group does not verify. A group that lacks seeds is not ``complete``; it is
    ``shown``, with a dagger, where the others were not run yet, and a dash where one failed. ``interval`` is "crossed"
    over seeds and test images, "t" where nothing is known of the images; a single seed of a fraction gets "test-set",
    Wilson's interval over test images. Cached: do not change it in place.
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
    groups["shown"] = (groups.done > 0) & (groups.failed == 0)
    cells = results.complete
    if metric in cells:
        values = grouped_t_intervals(cells, GROUP, metric)
        costs = cells.groupby(GROUP, sort=False)[["macs", "params"]].mean().reset_index()
        groups = groups.merge(values, on=GROUP, how="left").merge(costs, on=GROUP, how="left")
    else:
        groups = groups.assign(mean=np.nan, sd=np.nan, n=0, low=np.nan, high=np.nan, macs=np.nan, params=np.nan)
    groups["n"] = groups.n.fillna(0).astype(int)
    groups["interval"] = np.where(groups.n > 1, "t", "")
    groups["doubtful"] = pd.MultiIndex.from_frame(groups[GROUP]).isin(pd.MultiIndex.from_frame(results.doubtful[GROUP]))
    return in_report_order(_with_test_images(groups, results, metric), results)


def _with_test_images(groups: pd.DataFrame, results: Results, metric: str) -> pd.DataFrame:
    """Intervals that count the noise of the test images, where the metric has some."""
    fractions = [f"test_{known.name}" for known in results.task.metrics if known.unit == "fraction"]
    cells = results.complete.groupby(GROUP, sort=False)
    seeds = cells.seed.agg(list)
    evaluated = cells.evaluated.median()
    for place, row in groups[groups.n > 0].iterrows():
        group = (str(row.dataset), int(row.budget), str(row.model))
        total = evaluated[group] if metric in fractions else np.nan
        if row.n == 1:
            if not np.isnan(total):
                bounds = proportion_interval(round(row["mean"] * total), int(total))
                groups.loc[place, ["low", "high", "interval"]] = [*bounds, "test-set"]
            continue
        part = part_of_mean(results, *group, seeds[group]) if metric == results.score else NOTHING_KNOWN
        if part is NOTHING_KNOWN and not np.isnan(total):
            part = _binomial(row["mean"], int(total))
        known = estimate(row["mean"], row.sd**2 / row.n, row.n - 1, [part])
        if part is not NOTHING_KNOWN:
            groups.loc[place, ["low", "high", "interval"]] = [known.low, known.high, "crossed"]
    return groups


def _binomial(share: float, images: int) -> ImagePart:
    """The most that images can add to the variance of a share, with Agresti and Coull's four further images."""
    adjusted = (share * images + 2) / (images + 4)
    return ImagePart(adjusted * (1 - adjusted) / (images + 4), 0.0, images + 3)


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
        beside = partial(_tied, results, dataset, budget, error)
        for mark in ("best", "second"):
            if remaining.empty or len(group) < 2:
                break
            by_seed = wide.loc[(dataset, budget)]
            leader = str(remaining.model.iloc[0])
            ahead = {row: direction * (by_seed[leader] - by_seed[model]) for row, model in remaining.model.items()}
            tied = [row for row, lead in ahead.items() if beside(leader, remaining.model[row], lead)]
            marks[tied] = mark
            remaining = remaining.drop(tied)
    return marks


def _tied(
    results: Results, dataset: str, budget: int, error: PooledError | None, leader: str, model: str, lead: pd.Series
) -> bool:
    """Whether the lead, by seed, of one model over another may be none."""
    known = lead.dropna()
    if model == leader or error is None or known.empty:
        return bool(known.mean() <= 0) if len(known) else False
    part = part_of_difference(results, dataset, budget, leader, model, [*known.index])
    difference = pooled_difference([float(known.mean())], [len(known)], error, [part])
    return difference.mean <= 0 if np.isnan(difference.low) else difference.low <= 0


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
