"""Where the searches put which operator: shares beside the sampling prior, and the MACs that each operator takes."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.patches import Patch

from trionet_bench.analysis.placement import by_depth, depth_word, placement_shares, searched_blocks
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.names import named
from trionet_bench.reporting.style import (
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
from trionet_bench.reporting.text import compact, listed
from trionet_bench.units import counted

MAX_ROWS = 6
MAX_PANELS = 12


def leading_searches(results: Results) -> list[str]:
    """Searched models other than random search, which is there as a control; random search when it is all there is."""
    searched = results.complete[results.complete.algorithm.notna()]
    models = [name for name in results.models if name in set(searched[searched.algorithm != "random"].model)]
    return models or [name for name in results.models if name in set(searched.model)]


def draw_placement(results: Results, style: Style) -> Drawing | None:
    """Heat map: share of searched networks with each operator at each block; to its right the share under the prior."""
    models = leading_searches(results)
    shares = placement_shares(results, ["dataset", "model"])
    shares = shares[shares.model.isin(models)]
    if shares.empty:
        return None
    rows = [(dataset, model) for dataset in results.datasets for model in models]
    rows = [row for row in rows if not shares[(shares.dataset == row[0]) & (shares.model == row[1])].empty]
    drawn = rows[:MAX_ROWS]
    kinds = {model: _grid(shares[shares.model == model]) for model in models}
    heights = [0.52 + 0.24 * len(kinds[model][0]) for _, model in drawn]
    figure = new_figure(style.page, sum(heights) * style.page / 6.9)
    grid = figure.subplots(len(drawn), 2, squeeze=False, height_ratios=heights)
    for (dataset, model), (left, right) in zip(drawn, grid, strict=True):
        part = shares[(shares.dataset == dataset) & (shares.model == model)]
        operators, columns = kinds[model]
        networks = int(part.n.max())
        name = named(dataset) if len(models) == 1 else f"{named(dataset)}, {named(model)}"
        title = f"{name}: found ({counted(networks, 'network')})"
        _heat(left, _wide(part, "share", operators, columns), title, style)
        _heat(right, _wide(part, "prior", operators, columns), "expected under the sampling prior", style)
    return Drawing(figure, shares, _placement_finding(results), _placement_note(rows))


def _grid(shares: pd.DataFrame) -> tuple[list[str], pd.MultiIndex]:
    """The rows and columns of a model's map: the operators of its space, and the blocks of its deepest network."""
    places = shares[["stage", "block"]].drop_duplicates().sort_values(["stage", "block"])
    return operators_in_order(shares.operator), pd.MultiIndex.from_frame(places)


def _wide(part: pd.DataFrame, value: str, operators: list[str], columns: pd.MultiIndex) -> pd.DataFrame:
    wide = part.pivot_table(index="operator", columns=["stage", "block"], values=value, aggfunc="first")
    return wide.reindex(index=operators, columns=columns)


def _heat(axis: Any, shares: pd.DataFrame, title: str, style: Style) -> None:
    axis.pcolormesh(shares.to_numpy(), cmap=SHARES, vmin=0, vmax=1, edgecolors="face", lw=0.4)
    axis.invert_yaxis()
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    annotate = shares.shape[1] <= 18
    for row in range(shares.shape[0]):
        for column in range(shares.shape[1]):
            share = shares.iat[row, column]
            if annotate and not np.isnan(share):
                colour = "#fefefe" if share > 0.5 else "#111111"
                text = f"{share:.2f}".removeprefix("0") if 0 < share < 1 else f"{share:.0f}"
                axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, size=style.small)
    stages = shares.columns.get_level_values("stage").to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(stages)) + 1), len(stages)]
    for edge in edges[1:-1]:
        axis.axvline(edge, color=PAPER, lw=3 * style.scale)
    axis.set_xticks([(a + b) / 2 for a, b in itertools.pairwise(edges)])
    first = int(stages.min())
    labels = [f"stage {int(stages[edge]) + 1 - min(first, 1)}" for edge in edges[:-1]]
    axis.set_xticklabels(labels if len(labels) > 1 else ["blocks in order"])
    axis.tick_params(axis="both", length=0)
    axis.set_yticks(np.arange(len(shares)) + 0.5, list(shares.index))
    axis.set_title(title)


def leading_kinds(results: Results) -> list[list[str]]:
    """The leading searches, those over the same operators together."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for model in leading_searches(results):
        operators = tuple(sorted(results.priors[results.priors.model == model].operator.unique()))
        kinds.setdefault(operators, []).append(model)
    return list(kinds.values())


def _placement_finding(results: Results) -> str:
    sentences = []
    for models in leading_kinds(results):
        stages = placement_shares(results, ["model"], level="stage")
        stages = stages[stages.model.isin(models)]
        first, word = int(stages.stage.min()), depth_word(results, models)
        parts = []
        for stage, group in stages.assign(expected=stages.n * stages.prior).groupby("stage"):
            pooled = group.groupby("operator")[["count", "n", "expected"]].sum()  # blocks of all models together
            top = pooled.sort_values("count", ascending=False, kind="stable").iloc[0]
            share, prior = top["count"] / top.n, top.expected / top.n
            parts.append(f"{word} {int(str(stage)) + 1 - min(first, 1)} {top.name} ({share:.2f}, prior {prior:.2f})")
        sentences.append(f"Most frequent operator of the networks found by {listed(models)}: {', '.join(parts)}.")
    return " ".join(sentences)


def _placement_note(rows: list[tuple[str, str]]) -> str:
    note = "Shares over found networks of all budgets and seeds, blocks in order within each stage."
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
        rows = sums[sums.model == model]
        total = rows.groupby("operator").macs.sum() / rows.macs.sum()
        of = "found blocks" if len(models) == 1 else f"blocks that {model} found"
        parts = [f"{name} {100 * total[name]:.0f} %" for name in operators if name in total]
        findings.append(f"Share of the MACs of {of} by operator: {listed(parts)}.")
    note = f"Means over the networks that {listed(models)} found, all budgets and seeds."
    data = sums.drop(columns="model") if len(models) == 1 else sums
    return Drawing(figure, data, " ".join(findings), note)


def _macs_panel(axis: Any, sums: pd.DataFrame, operators: list[str]) -> None:
    wide = sums.pivot(index="stage", columns="operator", values="macs").fillna(0)
    base = np.zeros(len(wide))
    for operator in operators:
        height = wide[operator].to_numpy() if operator in wide else np.zeros(len(wide))
        colour, hatch = operator_colour(operator), operator_hatch(operator)
        axis.bar(range(len(wide)), height, 0.62, bottom=base, color=colour, hatch=hatch, edgecolor="#fefefe")
        base += height
    first = int(sums.stage.min())
    axis.set_xticks(range(len(wide)), [str(stage + 1 - min(first, 1)) for stage in wide.index])
    axis.yaxis.set_major_formatter(lambda value, _: compact(value))
