"""Which model to take: never a winner inside a tie.

All models that have results on the same (data set, seed) at the largest budget are compared with the best of them. An F
test comes first; then intervals of differences that hold together, by Tukey's studentized range, with the error of
``analysis.pooled`` and the noise of the test images. Models whose difference to the best may be none are tied. Of those
the fastest is taken; where the suite declares a margin, the fastest of those that no other is ahead of by as much, and
the best mean where there is none such, since not shown to be worse is not as good (our choice). How often a winner is
named where there is none is simulated in ``analysis.coverage``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from trionet_bench.analysis.comparisons import declared_margin
from trionet_bench.analysis.controls import asked_datasets
from trionet_bench.analysis.crossed import ImagePart
from trionet_bench.analysis.gaps import without_gaps
from trionet_bench.analysis.image_scores import part_of_difference
from trionet_bench.analysis.metrics import sign
from trionet_bench.analysis.pooled import PooledError, pooled_difference, shared_error
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import LEVEL, Estimate

_AS_FAST = 1.05  # latencies that differ by less count as equal

Kind = Literal["winner", "tie", "one seed", "alone"]
Reason = Literal[
    "", "the fastest", "one of the fastest", "the one that needs no search", "that of fewest MACs", "the best mean"
]


@dataclass(frozen=True)
class Decision:
    """What to take, and why.

    Args:
        kind: "winner" is better than each other model; "tie": some may be as good; "one seed": nothing can be told;
            "alone": there is no other model.
        taken: the model, on the mean over data sets of its primary metric (``value``), MACs, and seconds for one image
            (NaN where that was not measured).
        reason: of a tie, what ``taken`` has before the others that may be the best.
        margin: the greatest that the suite declares, in the unit of the metric; NaN where it declares none.
        near: of a tie, the models that no other is ahead of by the margin, with 95 % confidence over all.
        tied: models whose difference to the best may be none, but ``taken``.
        behind: models that are shown to be worse than the best.
        bound: of a winner the least lead over any other; of a tie the most that any other can be ahead of what is
            taken; both hold with 95 % confidence over all models, in the unit of the metric. NaN with one seed.
        best: the model of the best mean.
        p: of the F test.
        partly: whether results that the suite asks for are not there yet.
    """

    kind: Kind
    budget: int
    datasets: tuple[str, ...]
    taken: str
    reason: Reason
    margin: float
    near: tuple[str, ...]
    value: float
    macs: float
    latency: float
    tied: tuple[str, ...]
    behind: tuple[str, ...]
    bound: float
    best: str
    best_value: float
    p: float
    partly: bool


@lru_cache(maxsize=2)
def decide(results: Results) -> Decision | None:
    """What to take at the largest budget, over the data sets that are no controls; None where nothing is there."""
    names = asked_datasets(results)
    controls = set(results.datasets).difference(names)
    return _decided(results, names, LEVEL, ~results.declared.expected.dataset.isin(controls))


@lru_cache(maxsize=2)
def decide_by_dataset(results: Results) -> dict[str, Decision]:
    """``decide`` for each data set by itself that has several seeds of several models; all of it holds at once
    (Bonferroni).
    """
    names, expected = asked_datasets(results), results.declared.expected.dataset
    each = {name: _decided(results, [name], 1 - (1 - LEVEL) / len(names), expected == name) for name in names}
    return {name: known for name, known in each.items() if known is not None and not np.isnan(known.p)}


def _decided(results: Results, names: Sequence[str], level: float, asked: "pd.Series[bool]") -> Decision | None:
    """``asked`` says of each cell that the suite expects whether it belongs to the question."""
    table = compared(results, names)
    if table is None:
        return None
    budget, direction = results.budgets[-1], sign(results.primary)
    means = table.groupby("dataset").mean().mean()  # of each model, data sets counting alike
    best = str((direction * means).idxmax())
    datasets = tuple(dict.fromkeys(table.index.get_level_values("dataset")))
    error = shared_error(results, results.score, budget, datasets)
    costs = costs_of(results, budget, datasets)
    expected = results.declared.expected[asked]
    expected = expected[expected.budget == budget]
    partly = len(expected[expected.model.isin(results.competitors)]) > table.size
    kind: Kind
    reason: Reason = ""
    tied: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    margin, near, taken, bound, p = declared_margin(results), (), best, np.nan, np.nan
    if len(means) == 1:
        kind = "alone"
    elif error is None or table.groupby("dataset").size().max() < 2:
        kind, tied = "one seed", tuple(means.index.drop(best))
    else:
        lead = {
            model: _held_together(results, table, best, model, error, level) for model in means.index if model != best
        }
        far = {model: known.low if direction > 0 else -known.high for model, known in lead.items()}
        shown = [model for model, least in far.items() if least > 0 and error.p < 1 - level]
        group = [model for model in means.index if model not in shown]
        ahead = {model: _most_ahead(results, table, model, error, level) for model in group}
        near = tuple(model for model in group if ahead[model] < margin)
        (taken, reason), p = _cheapest(near or group, costs), error.p
        if not near and not np.isnan(margin) and len(group) > 1:
            taken, reason = best, "the best mean"
        tied, behind = tuple(model for model in group if model != taken), tuple(shown)
        if tied:
            kind, bound = "tie", max(0.0, ahead[taken])
        else:
            kind, bound = "winner", min(far.values())
    return Decision(
        kind=kind,
        budget=budget,
        datasets=datasets,
        taken=taken,
        reason=reason,
        margin=margin,
        near=near,
        value=float(means[taken]),
        macs=float(costs.macs[taken]),
        latency=float(costs.latency[taken]),
        tied=tied,
        behind=behind,
        bound=float(bound),
        best=best,
        best_value=float(means[best]),
        p=p,
        partly=partly,
    )


def compared(results: Results, names: Sequence[str] | None = None) -> pd.DataFrame | None:
    """The primary metric at the largest budget by (dataset, seed), a column for each model, without a gap.

    Of the models none of whose cells failed, those, the seeds and, where too little is there of one, the data sets that
    make the most of what is there.

    Args:
        names: the data sets that are asked for; all that are no controls when not given.
    """
    cells, score = results.cells, results.score
    budget, chosen = results.budgets[-1], names or asked_datasets(results)
    cells = cells[(cells.budget == budget) & cells.dataset.isin(chosen) & cells.model.isin(results.competitors)]
    if score not in cells:
        return None
    failed = set(cells[cells.status == "failed"].model)
    cells = cells[~cells.model.isin(failed)].dropna(subset=[score])
    wide = cells.pivot(index=["dataset", "seed"], columns="model", values=score)
    wide = wide[[model for model in results.models if model in wide]]
    return without_gaps(wide, _told_by)


def _told_by(choice: pd.DataFrame) -> tuple[int, int]:
    """How much a choice of models, seeds and data sets tells: differences to one model, then data sets."""
    return len(choice) * (choice.shape[1] - 1), choice.index.get_level_values("dataset").nunique()


def image_parts(results: Results, table: pd.DataFrame, candidate: str, baseline: str) -> list[ImagePart]:
    """What the test images of each data set add to a difference over the rows of ``compared``."""
    names = (results.budgets[-1], candidate, baseline)
    seeds = table.reset_index("seed").seed.groupby("dataset", sort=False)
    return [part_of_difference(results, str(dataset), *names, [*of_set]) for dataset, of_set in seeds]


def _held_together(
    results: Results, table: pd.DataFrame, candidate: str, baseline: str, error: PooledError, level: float
) -> Estimate:
    """Candidate minus baseline over the rows of ``compared``, with an interval that holds for all pairs of models at
    once; where nothing varies, the mean.
    """
    by_set = (table[candidate] - table[baseline]).groupby("dataset", sort=False)
    parts = image_parts(results, table, candidate, baseline)
    known = pooled_difference(by_set.mean().tolist(), by_set.size().tolist(), error, parts)
    half = simultaneous(table.shape[1], known.df, level) * known.spread
    return Estimate(known.mean, known.mean - half, known.mean + half, known.spread, known.df, known.p)


def _most_ahead(results: Results, table: pd.DataFrame, taken: str, error: PooledError, level: float) -> float:
    direction = sign(results.primary)
    others = [_held_together(results, table, model, taken, error, level) for model in table.columns if model != taken]
    return max(known.high if direction > 0 else -known.low for known in others)


def simultaneous(models: int, df: float, level: float = LEVEL) -> float:
    """How many standard errors of a difference an interval reaches that holds for all pairs of models at once."""
    return _studentized_range(models, max(1, min(int(df), 200)), level) / math.sqrt(2)


@lru_cache(maxsize=256)
def _studentized_range(models: int, df: int, level: float) -> float:
    return float(stats.studentized_range.ppf(level, models, df))


def costs_of(results: Results, budget: int, datasets: Sequence[str]) -> pd.DataFrame:
    """Means over data sets and seeds: MACs, and seconds for one image where they were measured."""
    cells = results.complete
    cells = cells[(cells.budget == budget) & cells.dataset.isin(datasets)]
    latency = cells.latency_s if "latency_s" in cells else np.nan
    searched = cells.algorithm.notna()
    return cells.assign(latency=latency, searched=searched).groupby("model")[["macs", "latency", "searched"]].mean()


def _cheapest(models: Sequence[str], costs: pd.DataFrame) -> tuple[str, Reason]:
    """The fastest, where all were timed; of those about as fast one that needs no search, then that of fewest MACs.

    With what it has before the others; empty where there are none.
    """
    known = costs.loc[list(models)]
    timed = bool(known.latency.notna().all())
    if timed:
        known = known[known.latency <= _AS_FAST * known.latency.min()]
    taken = str(known.sort_values(["searched", "macs"], kind="stable").index[0])
    if len(models) < 2:
        return taken, ""
    if timed:
        return taken, "the fastest" if len(known) == 1 else "one of the fastest"
    alone = known.searched[taken] == 0 and bool((known.searched.drop(taken) > 0).all())
    return taken, "the one that needs no search" if alone else "that of fewest MACs"
