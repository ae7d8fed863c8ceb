"""The primary metric by the number of training images, where a suite varies it."""

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from trionet_bench.analysis.results import Results
from trionet_bench.analysis.summary import summarise
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.quantity import Quantity, capitalised, primary
from trionet_bench.reporting.style import Style, label_outer, looks, panels, shared_legend
from trionet_bench.reporting.text import compact, interval_words

MAX_PANELS = 6


def draw_training_set_size(results: Results, style: Style) -> Drawing | None:
    """Data sets of one source with different numbers of training images are points of one line."""
    cells, quantity = results.complete, primary(results)
    if results.score not in cells:
        return None
    sizes = cells.groupby("dataset").agg(images=("train_images", "median"), source=("source", "first"))
    sizes["source"] = sizes.source.str.split("?").str[0]
    varied = sizes.groupby("source").images.transform("nunique") > 1
    sizes = sizes[varied & sizes.images.notna()]
    if sizes.empty:
        return None
    table = summarise(results).merge(sizes, left_on="dataset", right_index=True)
    table = table[table.complete & (table.budget == results.budgets[-1])].dropna(subset=["mean"])
    if table.empty:
        return None
    sources = list(dict.fromkeys(table.source))[:MAX_PANELS]
    look = looks(results.models)
    models = [name for name in results.models if name in set(table.model)]
    figure, axes = panels(style, len(sources), height=2.1)
    for axis, source in zip(axes, sources, strict=True):
        rows = table[table.source == source]
        for model in models:
            line = rows[rows.model == model].sort_values("images")
            way = look[model]
            axis.plot(line.images, quantity.scale * line["mean"], color=way.colour, ls=way.line, marker=way.marker)
            low, high = quantity.scale * line.low, quantity.scale * line.high.clip(upper=quantity.upper)
            axis.fill_between(line.images, low, high, color=way.colour, alpha=0.12, lw=0)
        axis.set_xscale("log")
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_locator(FixedLocator(sorted(set(rows.images))))
        axis.xaxis.set_major_formatter(lambda value, _: compact(value))
        axis.set_title(source)
    label_outer(axes, "training images", quantity.axis("test"))
    handles = [Line2D([], [], color=look[m].colour, ls=look[m].line, marker=look[m].marker) for m in models]
    shared_legend(figure, handles, models, style)
    columns = ["source", "dataset", "images", "model", "budget", "n", "mean", "sd", "low", "high"]
    return Drawing(
        figure,
        table[columns],
        _finding(table, quantity),
        f"Means{interval_words(table.interval)}, at the largest budget.",
    )


def _finding(table: pd.DataFrame, quantity: Quantity) -> str:
    parts = []
    for source, rows in table.groupby("source", sort=False):
        ends = [rows[rows.images == rows.images.min()], rows[rows.images == rows.images.max()]]
        few, many = (end.sort_values("mean").iloc[-1 if quantity.direction > 0 else 0] for end in ends)
        parts.append(
            f"on {source} {few.model} is first with {compact(few.images)} images ({quantity.with_unit(few['mean'])}), "
            f"{many.model} with {compact(many.images)} ({quantity.with_unit(many['mean'])})"
        )
    return f"{capitalised(quantity.noun)} by training-set size: {'; '.join(parts)}."
