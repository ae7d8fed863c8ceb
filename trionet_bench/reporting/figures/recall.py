"""Recall of a retrieval by how many of the nearest images are looked at."""

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from trionet_bench.analysis.references import UNTRAINED, beside
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.names import named
from trionet_bench.reporting.quantity import Quantity, primary
from trionet_bench.reporting.style import MUTED, Style, label_outer, looks, panels, shared_legend
from trionet_bench.reporting.text import compact, listed

MAX_PANELS = 6
_RECALL = "recall_"  # of Recall@k, before k


def draw_recall(results: Results, style: Style) -> Drawing | None:
    """Recall@k at the largest budget, of trained networks and of what was not trained; None for other tasks, and where
    only one k was measured.
    """
    ranks = {m.name: int(m.name.removeprefix(_RECALL)) for m in results.task.metrics if m.name.startswith(_RECALL)}
    if len(ranks) < 2 or results.score not in results.complete:
        return None
    table = beside(results)
    table = table[table.metric.isin(ranks) & (table.budget == results.budgets[-1])]
    table = table.assign(rank=table.metric.map(ranks))
    datasets = [name for name in results.datasets if name in set(table.dataset)][:MAX_PANELS]
    quantity, look = primary(results), looks(results.models)
    figure, axes = panels(style, len(datasets), height=2.3)
    handles: dict[str, Line2D] = {}
    for axis, dataset in zip(axes, datasets, strict=True):
        for (reference, model), line in table[table.dataset == dataset].groupby(["reference", "model"], sort=False):
            line = line.sort_values("rank")
            colour = look[model].colour if model else MUTED
            dashes = look[model].line if not reference else ":"
            marker = look[model].marker if not reference else None
            drawn = axis.plot(line["rank"], quantity.scale * line["mean"], color=colour, ls=dashes, marker=marker)
            if not reference:
                spread = quantity.scale * line.sd.fillna(0)
                middle = quantity.scale * line["mean"]
                axis.fill_between(line["rank"], middle - spread, middle + spread, color=colour, alpha=0.12, lw=0)
            handles.setdefault(_legend(model, reference), drawn[0])
        axis.set_xscale("log")
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_locator(FixedLocator(sorted(ranks.values())))
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_title(f"{named(dataset)}, {compact(results.budgets[-1])}")
    label_outer(axes, "nearest images looked at, k", "test Recall@k (%)")
    shared_legend(figure, list(handles.values()), list(handles), style)
    note = (
        "Share of the queries among whose k nearest images one is of their class. Lines: mean over seeds; bands: one "
        "standard deviation. Dotted: networks before their training, and raw pixels."
    )
    return Drawing(figure, table.drop(columns="metric"), _finding(table, quantity), note)


def _legend(model: str, reference: str) -> str:
    if reference == UNTRAINED:
        return f"{model}, untrained"
    return f"raw {reference}" if reference else model


def _finding(table: pd.DataFrame, quantity: Quantity) -> str:
    first = table[table["rank"] == table["rank"].min()]
    parts = []
    for dataset, rows in first.groupby("dataset", sort=False):
        trained = rows[rows.reference == ""].sort_values("mean").iloc[-1]
        others = rows[rows.reference != ""].groupby("reference")["mean"].max()
        below = [f"{quantity.with_unit(value)} {name}" for name, value in others.items()]
        parts.append(
            f"on {dataset} {trained.model} is first with {quantity.with_unit(trained['mean'])}"
            + (f", beside {listed(below)}" if below else "")
        )
    return f"{quantity.label}: {'; '.join(parts)}."
