"""Where the searches put which operator: shares beside the sampling prior, and the MACs that each operator takes."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.patches import Patch

from trionet_bench.analysis.placement import by_depth, counted_from_1, depth_word, placement_shares, searched_blocks
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.names import named
from trionet_bench.reporting.quantity import capitalised
from trionet_bench.reporting.style import (
    MUTED,
    OVER_PRIOR,
    PAPER,
    SHARES,
    Style,
    label_outer,
    new_figure,
    operator_colour,
    operator_hatch,
    operators_in_order,
    panels,
    shared_legend,
)
from trionet_bench.reporting.text import absent, compact, listed, signed
from trionet_bench.units import counted

MAX_ROWS = 6
MAX_PANELS = 12
_MOST_WRITTEN = 18  # blocks; more leave no room for numbers


def leading_searches(results: Results) -> list[str]:
    """Models that searched for a placement, other than random search, which is there as a control; random search when
    it is all there is. Where a space has one operator, nothing is found of where it belongs.
    """
    operators = results.priors.groupby("model").operator.nunique()
    searched = results.complete[results.complete.model.isin(operators.index[operators > 1])]
    models = [name for name in results.models if name in set(searched[searched.algorithm != "random"].model)]
    return models or [name for name in results.models if name in set(searched.model)]


def draw_placement(results: Results, style: Style) -> Drawing | None:
    """Heat map: how many searched networks have each operator at each block; to its right the share less the prior."""
    models = leading_searches(results)
    shares = placement_shares(results, ["dataset", "model"])
    shares = shares[shares.model.isin(models)]
    if shares.empty:
        return None
    shares = shares.assign(over_prior=shares.share - shares.prior)
    rows = [(dataset, model) for model in models for dataset in results.datasets]  # the first model everywhere first
    rows = [row for row in rows if not shares[(shares.dataset == row[0]) & (shares.model == row[1])].empty]
    drawn = rows[:MAX_ROWS]
    kinds = {model: _grid(shares[shares.model == model]) for model in models}
    heights = [0.62 + 0.24 * len(kinds[model][0]) for _, model in drawn]
    figure = new_figure(style.page, sum(heights) * style.page / 6.9)
    grid = figure.subplots(len(drawn), 2, squeeze=False, height_ratios=heights)
    for (dataset, model), (left, right) in zip(drawn, grid, strict=True):
        part = shares[(shares.dataset == dataset) & (shares.model == model)]
        operators, columns = kinds[model]
        networks = int(part.n.max())
        name = named(dataset) if len(models) == 1 else f"{named(dataset)}, {named(model)}"
        wide = {value: _wide(part, value, operators, columns) for value in ("share", "count", "n", "over_prior")}
        _heat(left, wide["share"], wide["count"].map(_counted), SHARES, (0, 1), style)
        _heat(right, wide["over_prior"], wide["over_prior"].map(_in_points), OVER_PRIOR, (-1, 1), style)
        left.set_title(f"{name}: found, of {counted(networks, 'network')}")
        right.set_title("less the sampling prior (points)")
        totals = wide["n"].max().fillna(0)  # a network need not have every block of the deepest, of any data set
        if totals.nunique() > 1 and len(totals) <= _MOST_WRITTEN:
            left.set_xticks(np.arange(len(totals)) + 0.5, [f"of {int(n)}" for n in totals], minor=True)
            left.xaxis.remove_overlapping_locs = False  # one in the middle of a stage has that stage's place
            left.tick_params(axis="x", which="minor", labelsize=style.small, labelcolor=MUTED, length=0)
            left.tick_params(axis="x", which="major", pad=2.2 * style.small)
    return Drawing(figure, shares, _placement_finding(results), _placement_note(rows))


def _grid(shares: pd.DataFrame) -> tuple[list[str], pd.MultiIndex]:
    """The rows and columns of a model's map: the operators of its space, and the blocks of its deepest network."""
    places = shares[["stage", "block"]].drop_duplicates().sort_values(["stage", "block"])
    return operators_in_order(shares.operator), pd.MultiIndex.from_frame(places)


def _wide(part: pd.DataFrame, value: str, operators: list[str], columns: pd.MultiIndex) -> pd.DataFrame:
    wide = part.pivot_table(index="operator", columns=["stage", "block"], values=value, aggfunc="first")
    return wide.reindex(index=operators, columns=columns)


def _counted(count: float) -> str:
    """Networks, or where operators divide a block the sum of their shares."""
    return "" if absent(count) else f"{count:.3g}"


def _in_points(difference: float) -> str:
    return "" if absent(difference) else signed(100 * difference, 0)


def _heat(
    axis: Axes, values: pd.DataFrame, text: pd.DataFrame, colours: Colormap, limits: tuple[float, float], style: Style
) -> None:
    axis.pcolormesh(values.to_numpy(), cmap=colours, vmin=limits[0], vmax=limits[1], edgecolors="face", lw=0.4)
    axis.invert_yaxis()
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    if values.shape[1] <= _MOST_WRITTEN:
        for row in range(values.shape[0]):
            for column in range(values.shape[1]):
                colour = "#fefefe" if abs(values.iat[row, column]) > 0.5 else "#111111"
                at = (column + 0.5, row + 0.5)
                axis.text(*at, text.iat[row, column], ha="center", va="center", color=colour, size=style.small)
    stages = values.columns.get_level_values("stage").to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(stages)) + 1), len(stages)]
    for edge in edges[1:-1]:
        axis.axvline(edge, color=PAPER, lw=3 * style.scale)
    first = int(stages.min())
    labels = [f"stage {counted_from_1(int(stages[edge]), first)}" for edge in edges[:-1]]
    labels = labels if len(labels) > 1 else ["blocks in order"]
    axis.set_xticks([(a + b) / 2 for a, b in itertools.pairwise(edges)], labels)
    axis.tick_params(axis="both", length=0)
    axis.set_yticks(np.arange(len(values)) + 0.5, list(values.index))


def leading_kinds(results: Results) -> list[list[str]]:
    """The leading searches, those over the same operators together."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for model in leading_searches(results):
        operators = tuple(sorted(results.priors[results.priors.model == model].operator.unique()))
        kinds.setdefault(operators, []).append(model)
    return list(kinds.values())


def _placement_finding(results: Results) -> str:
    """Where an operator stands most above the prior, over all networks of the leading searches together."""
    parts = []
    for models in leading_kinds(results):
        stages = placement_shares(results, ["model"], level="stage")
        stages = stages[stages.model.isin(models)]
        first, word = int(stages.stage.min()), depth_word(results, models)
        pooled = stages.assign(expected=stages.n * stages.prior).groupby(["stage", "operator"])
        sums = pooled[["count", "n", "expected"]].sum()  # blocks of all models together
        stage, operator = ((sums["count"] - sums.expected) / sums.n).idxmax()
        top = sums.loc[(stage, operator)]
        parts.append(
            f"{operator} in {word} {counted_from_1(int(stage), first)} ({top['count']:.4g} of {int(top.n)} blocks) in "
            f"the networks that {listed(models)} found"
        )
    return f"Most above what blind draws give stands {'; and '.join(parts)}."


def _placement_note(rows: list[tuple[str, str]]) -> str:
    note = (
        "Left: how many found networks, of all budgets and seeds, have the operator at the block, in order within each "
        "stage, of those that have the block at all. Right: that share less what blind draws within the budget give."
    )
    if len(rows) > MAX_ROWS:
        note += f" The first {MAX_ROWS} of {len(rows)} are drawn; the data have all."
    return note


def draw_placement_macs(results: Results, style: Style) -> Drawing | None:
    """Mean MACs of the searched networks by stage, or block where there is one stage, stacked by operator."""
    models = [kind[0] for kind in leading_kinds(results)]
    blocks = by_depth(searched_blocks(results))
    blocks = blocks[blocks.model.isin(models)]
    if blocks.empty:
        return None
    keys = ["dataset", "model"]
    networks = blocks.drop_duplicates([*keys, "budget", "seed"]).groupby(keys).size().rename("networks")
    sums = blocks.groupby([*keys, "stage", "operator"]).macs.sum().rename("macs").reset_index()
    sums["macs"] = sums.macs / sums.join(networks, on=keys).networks
    order = [(dataset, model) for model in models for dataset in results.datasets]
    drawn = [place for place in order if ((sums.dataset == place[0]) & (sums.model == place[1])).any()][:MAX_PANELS]
    operators = operators_in_order(sums.operator)
    figure, axes = panels(style, len(drawn), height=1.9)
    for axis, (dataset, model) in zip(axes, drawn, strict=True):
        _macs_panel(axis, sums[(sums.dataset == dataset) & (sums.model == model)], operators)
        axis.set_title(dataset if len(models) == 1 else f"{named(dataset)}, {named(model)}")
    words = " or ".join(dict.fromkeys(depth_word(results, [model]) for model in models))
    label_outer(axes, words, f"MACs of the {words}'s blocks" if words == "stage" else "MACs")
    patches = [Patch(fc=operator_colour(name), hatch=operator_hatch(name), ec="#fefefe") for name in operators]
    shared_legend(figure, patches, operators, style)
    findings = []
    for model in models:
        most = str(sums[sums.model == model].groupby("operator").macs.sum().idxmax())
        findings.append(f"{most} takes more MACs than any other operator in the networks that {model} found")
    note = f"Means over the networks that {listed(models)} found, all budgets and seeds."
    data = sums.drop(columns="model") if len(models) == 1 else sums
    return Drawing(figure, data, f"{capitalised('; '.join(findings))}.", note)


def _macs_panel(axis: Any, sums: pd.DataFrame, operators: list[str]) -> None:
    wide = sums.pivot(index="stage", columns="operator", values="macs").fillna(0)
    base = np.zeros(len(wide))
    for operator in operators:
        height = wide[operator].to_numpy() if operator in wide else np.zeros(len(wide))
        colour, hatch = operator_colour(operator), operator_hatch(operator)
        axis.bar(range(len(wide)), height, 0.62, bottom=base, color=colour, hatch=hatch, edgecolor="#fefefe")
        base += height
    first = int(sums.stage.min())
    axis.set_xticks(range(len(wide)), [str(counted_from_1(stage, first)) for stage in wide.index])
    axis.yaxis.set_major_formatter(lambda value, _: compact(value))
