"""Accuracy against what a network costs: MACs, parameters, latency."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from trionet_bench.analysis.pareto import front
from trionet_bench.analysis.results import GROUP, Results
from trionet_bench.analysis.summary import summarise
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.style import GRID, MUTED, Look, Style, label_outer, looks, panels, shared_legend
from trionet_bench.reporting.text import compact, listed, percent
from trionet_bench.units import counted

MAX_PANELS = 9

_COSTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "macs": ("MACs", compact),
    "params": ("parameters", compact),
    "latency_s": ("latency, one image (ms)", lambda seconds: f"{1e3 * seconds:.3g}"),
}


def accuracy_against(cost: str) -> Callable[[Results, Style], Drawing | None]:
    """A builder of accuracy against the column ``cost`` of the cells."""

    def build(results: Results, style: Style) -> Drawing | None:
        if cost not in results.complete or results.complete[cost].isna().all():
            return None
        table = _points(results, cost)
        if table.empty:
            return None
        return _draw(results, table, cost, style)

    return build


def _points(results: Results, cost: str) -> pd.DataFrame:
    """Mean accuracy and mean cost of every group that has a seed, and whether it lies on the front of its data set."""
    costs = results.complete.groupby(GROUP)[cost].mean().rename("cost").reset_index()
    table = summarise(results).drop(columns=["macs", "params"]).merge(costs, on=GROUP).dropna(subset=["mean", "cost"])
    table["front"] = False
    for _, group in table.groupby("dataset", sort=False):
        whole = group[group.complete]
        table.loc[whole.index, "front"] = front(whole.cost.tolist(), whole["mean"].tolist())
    return table.reset_index(drop=True)


def _draw(results: Results, table: pd.DataFrame, cost: str, style: Style) -> Drawing:
    label, shown = _COSTS[cost]
    datasets = [name for name in results.datasets if name in set(table.dataset)]
    look = looks(results.models)
    figure, axes = panels(style, min(len(datasets), MAX_PANELS))
    for axis, dataset in zip(axes, datasets, strict=False):
        rows = table[table.dataset == dataset]
        _panel(axis, rows, look)
        axis.set_title(dataset)
        axis.set_xscale("log")
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xticks(_ticks(rows.cost.tolist()))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value)))
        axis.margins(x=0.12)
    label_outer(axes, label[0].upper() + label[1:] if label != "MACs" else label, "test top-1 (%)")
    drawn = [model for model in results.models if model in set(table.model)]
    handles: list[Any] = [
        Line2D([], [], color=look[model].colour, marker=look[model].marker, ls=look[model].line) for model in drawn
    ]
    handles.append(Line2D([], [], color=MUTED, lw=style.line * 2.5, alpha=0.35))
    shared_legend(figure, handles, [*drawn, "front"], style)
    return Drawing(figure, _data(table, cost), _finding(table, datasets, label), _note(table, datasets))


def _panel(axis: Any, rows: pd.DataFrame, look: dict[str, Look]) -> None:
    best = rows[rows.front].sort_values("cost")
    if len(best):
        right = rows.cost.max() * 1.05
        axis.step(
            [*best.cost, right],
            [*(100 * best["mean"]), 100 * best["mean"].max()],
            where="post",
            color=MUTED,
            alpha=0.3,
            lw=3,
            solid_capstyle="butt",
            zorder=1,
        )
    for model, group in rows.groupby("model", sort=False):
        group = group.sort_values("cost")
        way = look[str(model)]
        axis.plot(group.cost, 100 * group["mean"], color=way.colour, ls=way.line, zorder=2)
        known = group[group.complete & group.low.notna()]
        bounds = 100 * np.array([known["mean"] - known.low, known.high.clip(upper=1) - known["mean"]])
        axis.errorbar(
            known.cost, 100 * known["mean"], bounds, fmt="none", ecolor=way.colour, elinewidth=0.7, alpha=0.7, zorder=2
        )
        for complete, part in group.groupby("complete"):
            face = way.colour if complete else "none"
            axis.plot(part.cost, 100 * part["mean"], ls="", marker=way.marker, mfc=face, mec=way.colour, zorder=3)
    axis.yaxis.set_major_locator(MaxNLocator(5))
    axis.tick_params(axis="x", color=GRID)


def _ticks(costs: list[float]) -> list[float]:
    """A few round values across the range of the costs, far enough apart to be read."""
    low, high = min(costs), max(costs)
    candidates = [digit * 10.0**power for power in range(-7, 14) for digit in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)]
    inside = [value for value in candidates if low * 0.9 <= value <= high * 1.1] or [float(f"{low:.2g}")]
    apart = (high * 1.1 / (low * 0.9)) ** 0.19
    chosen = inside[:1]
    for value in inside:
        if value >= chosen[-1] * apart:
            chosen.append(value)
    return chosen if len(chosen) > 1 else sorted({float(f"{value:.3g}") for value in (low, high)})


def _data(table: pd.DataFrame, cost: str) -> pd.DataFrame:
    columns = [*GROUP, "cost", "mean", "sd", "low", "high", "interval", "n", "expected", "front"]
    return table[columns].rename(columns={"cost": cost, "mean": "test_top1"})


def _finding(table: pd.DataFrame, datasets: list[str], label: str) -> str:
    parts = []
    for dataset in datasets:
        on_front = table[(table.dataset == dataset) & table.front].sort_values("cost")
        names = list(dict.fromkeys(on_front.model))
        if names:
            best = on_front.iloc[-1]
            verb = "is" if len(names) == 1 else "are"
            parts.append(
                f"on {dataset} {listed(names)} {verb} on the front, up to {percent(best['mean'])} % ({best.model})"
            )
    text = "; ".join(parts) or "no group has all of its seeds yet"
    return f"Test accuracy against {label}: {text}."


def _note(table: pd.DataFrame, datasets: list[str]) -> str:
    seeds = sorted(set(table.n))
    span = counted(seeds[0], "seed") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    kind = "95 % t-intervals over seeds" if (table.interval == "t").any() else "95 % intervals over test images"
    note = f"Means over {span} with {kind}; the wide grey line is the front of the means."
    if not table.complete.all():
        note += " Open markers lack seeds and are not part of the front."
    if len(datasets) > MAX_PANELS:
        note += f" The first {MAX_PANELS} of {len(datasets)} data sets are drawn; the data have all."
    return note
