"""Where the searches put which operator: shares beside the sampling prior, and the MACs that each operator takes."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.patches import Patch, Rectangle

from trionet_bench.analysis.placement import placement_shares, searched_blocks
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.figures.figure import Drawing
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
from trionet_bench.reporting.text import compact, counted, listed

MAX_ROWS = 6
MAX_PANELS = 12


def leading_searches(results: Results) -> list[str]:
    """Searched models other than random search, which is there as a control; random search when it is all there is."""
    searched = results.complete[results.complete.algorithm.notna()]
    models = [name for name in results.models if name in set(searched[searched.algorithm != "random"].model)]
    return models or [name for name in results.models if name in set(searched.model)]


def draw_placement(results: Results, style: Style) -> Drawing | None:
    """Heat map: share of found networks with each operator at each block; to its right the share under the prior."""
    models = leading_searches(results)
    shares = placement_shares(results, ["dataset", "model"])
    shares = shares[shares.model.isin(models)]
    if shares.empty:
        return None
    rows = [(dataset, model) for dataset in results.datasets for model in models]
    rows = [row for row in rows if not shares[(shares.dataset == row[0]) & (shares.model == row[1])].empty]
    operators = operators_in_order(shares.operator)
    places = shares[["stage", "block"]].drop_duplicates().sort_values(["stage", "block"])
    columns = pd.MultiIndex.from_frame(places)
    drawn = rows[:MAX_ROWS]
    figure = new_figure(style.page, (0.52 + 0.24 * len(operators)) * style.page / 6.9 * len(drawn))
    grid = figure.subplots(len(drawn), 2, squeeze=False)
    for (dataset, model), (left, right) in zip(drawn, grid, strict=True):
        part = shares[(shares.dataset == dataset) & (shares.model == model)]
        networks = int(part.n.max())
        name = f"{dataset}" if len(models) == 1 else f"{dataset}, {model}"
        title = f"{name}: found ({counted(networks, 'network')})"
        _heat(left, _wide(part, "share", operators, columns), title, style, clear=_clear(part, operators, columns))
        _heat(right, _wide(part, "prior", operators, columns), "expected under the sampling prior", style)
    return Drawing(figure, shares, _placement_finding(results, models), _placement_note(rows))


def _wide(part: pd.DataFrame, value: str, operators: list[str], columns: pd.MultiIndex) -> pd.DataFrame:
    wide = part.pivot_table(index="operator", columns=["stage", "block"], values=value, aggfunc="first")
    return wide.reindex(index=operators, columns=columns)


def _clear(part: pd.DataFrame, operators: list[str], columns: pd.MultiIndex) -> pd.DataFrame:
    """Where the Wilson interval leaves the prior out."""
    outside = part.assign(clear=(part.prior < part.low) | (part.prior > part.high))
    return _wide(outside, "clear", operators, columns).fillna(False).astype(bool)


def _heat(axis: Any, shares: pd.DataFrame, title: str, style: Style, clear: pd.DataFrame | None = None) -> None:
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
            if clear is not None and clear.iat[row, column]:
                box = (column + 0.11, row + 0.13)
                colour = "#fefefe" if share > 0.5 else "#111111"
                axis.add_patch(Rectangle(box, 0.78, 0.74, fill=False, ec=colour, lw=0.9 * style.scale))
    stages = shares.columns.get_level_values("stage").to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(stages)) + 1), len(stages)]
    for edge in edges[1:-1]:
        axis.axvline(edge, color=PAPER, lw=3 * style.scale)
    axis.set_xticks([(a + b) / 2 for a, b in itertools.pairwise(edges)])
    first = int(stages.min())
    axis.set_xticklabels([f"stage {int(stages[edge]) + 1 - min(first, 1)}" for edge in edges[:-1]])
    axis.tick_params(axis="both", length=0)
    axis.set_yticks(np.arange(len(shares)) + 0.5, list(shares.index))
    axis.set_title(title)


def _placement_finding(results: Results, models: list[str]) -> str:
    stages = placement_shares(results, ["model"], level="stage")
    stages = stages[stages.model.isin(models)]
    first = int(stages.stage.min())
    parts = []
    for stage, group in stages.groupby("stage"):
        top = group.sort_values("share", ascending=False, kind="stable").iloc[0]
        parts.append(
            f"stage {int(str(stage)) + 1 - min(first, 1)} {top.operator} ({top.share:.2f}, prior {top.prior:.2f})"
        )
    return f"Most frequent operator of the networks found by {listed(models)}: {', '.join(parts)}."


def _placement_note(rows: list[tuple[str, str]]) -> str:
    note = (
        "Shares over found networks of all budgets and seeds, blocks in order within each stage. "
        "A frame: the 95 % Wilson interval leaves the prior out."
    )
    if len(rows) > MAX_ROWS:
        note += f" The first {MAX_ROWS} of {len(rows)} are drawn; the data have all."
    return note


def draw_placement_macs(results: Results, style: Style) -> Drawing | None:
    """Mean MACs of the found networks by stage, stacked by the operator of the block."""
    models = leading_searches(results)
    blocks = searched_blocks(results)
    blocks = blocks[blocks.model.isin(models[:1])]
    if blocks.empty:
        return None
    networks = blocks.drop_duplicates(["dataset", "budget", "seed"]).dataset.value_counts()
    sums = blocks.groupby(["dataset", "stage", "operator"]).macs.sum().rename("macs").reset_index()
    sums["macs"] = sums.macs / sums.dataset.map(networks)
    datasets = [name for name in results.datasets if name in set(sums.dataset)]
    operators = operators_in_order(sums.operator)
    figure, axes = panels(style, min(len(datasets), MAX_PANELS), height=1.9)
    first = int(sums.stage.min())
    for axis, dataset in zip(axes, datasets, strict=False):
        wide = sums[sums.dataset == dataset].pivot(index="stage", columns="operator", values="macs").fillna(0)
        base = np.zeros(len(wide))
        for operator in operators:
            height = wide[operator].to_numpy() if operator in wide else np.zeros(len(wide))
            axis.bar(
                range(len(wide)),
                height,
                0.62,
                bottom=base,
                color=operator_colour(operator),
                hatch=operator_hatch(operator),
                edgecolor="#fefefe",
            )
            base += height
        axis.set_xticks(range(len(wide)), [str(stage + 1 - min(first, 1)) for stage in wide.index])
        axis.yaxis.set_major_formatter(lambda value, _: compact(value))
        axis.set_title(dataset)
    label_outer(axes, "stage", "MACs of the stage's blocks")
    patches = [Patch(fc=operator_colour(name), hatch=operator_hatch(name), ec="#fefefe") for name in operators]
    shared_legend(figure, patches, operators, style)
    total = sums.groupby("operator").macs.sum() / sums.macs.sum()
    finding = listed([f"{name} {100 * total[name]:.0f} %" for name in operators])
    note = f"Means over the networks that {models[0]} found, all budgets and seeds."
    return Drawing(figure, sums, f"Share of the MACs of found blocks by operator: {finding}.", note)
