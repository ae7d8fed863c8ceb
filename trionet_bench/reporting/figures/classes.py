"""Which classes gain and lose, and what they are mistaken for."""

from typing import Any

import numpy as np
import pandas as pd

from trionet_bench.analysis.predictions import class_accuracy, confusion, headline_pair
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import grouped_t_intervals
from trionet_bench.reporting.figures.figure import Drawing, LeftOut
from trionet_bench.reporting.names import named
from trionet_bench.reporting.quantity import capitalised
from trionet_bench.reporting.style import MUTED, SHARES, Style, label_outer, looks, new_figure, panels
from trionet_bench.reporting.text import MINUS, points
from trionet_bench.units import counted

MAX_PANELS = 3
MAX_CLASSES = 24


def draw_class_differences(results: Results, style: Style) -> Drawing | LeftOut | None:
    """Difference of class accuracies, candidate minus baseline of the first declared comparison, paired by seed."""
    pair = headline_pair(results)
    if pair is None:
        return None
    baseline, candidate = pair
    accuracy = class_accuracy(results, pair)
    keys = ["dataset", "seed", "class_index", "class_name"]
    wide = accuracy.pivot_table(index=keys, columns="model", values="accuracy").reset_index()
    if not {baseline, candidate} <= set(wide.columns):
        return None
    wide["difference"] = wide[candidate] - wide[baseline]
    table = grouped_t_intervals(wide, ["dataset", "class_index", "class_name"], "difference")
    if table.empty:
        return None
    images = accuracy.groupby(["dataset", "class_index"]).images.max()
    if (table["mean"].abs() * table.join(images, on=images.index.names).images).max() <= 1:
        return LeftOut("no class differs by more than one test image")
    datasets = [name for name in results.datasets if name in set(table.dataset)][:MAX_PANELS]
    shown = {name: _shown(table[table.dataset == name]) for name in datasets}
    rows = max(len(part) for part in shown.values())
    figure, axes = panels(style, len(datasets), height=0.14 * rows + 0.35)
    colour = looks(results.models)[candidate].colour
    for axis, (dataset, part) in zip(axes, shown.items(), strict=True):
        _dots(axis, part, colour, style)
        axis.set_title(dataset)
    label_outer(axes, f"class accuracy in points, {named(candidate)} {MINUS} {named(baseline)}", "")
    best, worst = table.loc[table["mean"].idxmax()], table.loc[table["mean"].idxmin()]
    finding = (
        f"{capitalised(candidate)} gains most over {baseline} on {best.class_name} of {best.dataset}, "
        f"{points(best['mean'])} points, and least on {worst.class_name} of {worst.dataset}, {points(worst['mean'])}."
    )
    note = "Largest budget; mean and 95 % t-interval of differences paired by seed, not corrected for the many classes."
    if rows < table.groupby("dataset").size().max():
        note += f" The {MAX_CLASSES // 2} greatest gains and losses of each data set."
    return Drawing(figure, table, finding, note)


def _shown(part: pd.DataFrame) -> pd.DataFrame:
    part = part.sort_values(["mean", "class_index"], ascending=[False, True])
    if len(part) > MAX_CLASSES:
        part = pd.concat([part.head(MAX_CLASSES // 2), part.tail(MAX_CLASSES // 2)])
    return part


def _dots(axis: Any, part: pd.DataFrame, colour: str, style: Style) -> None:
    places = np.arange(len(part))
    axis.axvline(0, color=MUTED, lw=0.8 * style.scale, zorder=0)
    axis.hlines(places, 100 * part.low, 100 * part.high, color=colour, lw=0.8 * style.line, alpha=0.6)
    axis.plot(100 * part["mean"], places, ls="", marker="o", ms=3.2 * style.scale, color=colour)
    axis.set_yticks(places, [named(name) for name in part.class_name])
    axis.set_ylim(len(part) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.grid(visible=True, axis="x")
    axis.spines["left"].set_visible(False)


def draw_confusion(results: Results, style: Style) -> Drawing | None:
    """Confusion of baseline and candidate on the data set where the candidate errs most."""
    pair = headline_pair(results)
    if pair is None:
        return None
    matrices = [(dataset, [confusion(results, dataset, model) for model in pair]) for dataset in results.datasets]
    both = [(dataset, [part for part in parts if part]) for dataset, parts in matrices if all(parts)]
    if not both:
        return None
    dataset, parts = min(both, key=lambda entry: np.diag(entry[1][1][0]).mean())
    names = _most_confused([matrix for matrix, _ in parts])
    size = min(0.46 * style.page, (0.19 * len(names) + 0.9) * style.scale)
    figure = new_figure(style.page, size + 0.25 * style.scale)
    for axis, model, (matrix, seeds) in zip(figure.subplots(1, 2), pair, parts, strict=True):
        _matrix(axis, matrix.reindex(index=names, columns=names).fillna(0), style)
        axis.set_title(f"{named(model)} on {named(dataset)}, {counted(seeds, 'seed')}")
        axis.set_xlabel("predicted")
    figure.axes[0].set_ylabel("true class")
    data = pd.concat(
        [
            matrix.rename_axis("true")
            .reset_index()
            .melt("true", var_name="predicted", value_name="share")
            .assign(model=model)
            for model, (matrix, _) in zip(pair, parts, strict=True)
        ]
    ).assign(dataset=dataset)
    finding = " and ".join(f"{model} {_worst(matrix)}" for model, (matrix, _) in zip(pair, parts, strict=True))
    note = f"{dataset} is the data set on which {pair[1]} errs most. Rows sum to 1 over all classes."
    if len(names) < len(parts[0][0]):
        note += f" The {len(names)} classes with most errors are drawn; the data have all."
    return Drawing(figure, data, f"On {dataset} {finding}.", note)


def _most_confused(matrices: list[pd.DataFrame]) -> list[str]:
    names = list(dict.fromkeys(name for matrix in matrices for name in matrix.index))
    if len(names) <= MAX_CLASSES:
        return names
    errors = sum((1 - pd.Series(np.diag(matrix), index=matrix.index)).reindex(names).fillna(0) for matrix in matrices)
    worst = set(errors.sort_values(ascending=False, kind="stable").index[: MAX_CLASSES - 4])
    return [name for name in names if name in worst]


def _matrix(axis: Any, matrix: pd.DataFrame, style: Style) -> None:
    axis.pcolormesh(matrix.to_numpy(), cmap=SHARES, vmin=0, vmax=1, edgecolors="face", lw=0.4)
    axis.invert_yaxis()
    axis.grid(visible=False)
    ticks = np.arange(len(matrix)) + 0.5
    longest = max(len(name) for name in matrix.columns)
    turned = longest > 3 or longest * len(matrix) > 60
    axis.set_xticks(ticks, [named(name) for name in matrix.columns], rotation=90 if turned else 0)
    axis.set_yticks(ticks, [named(name) for name in matrix.index])
    axis.tick_params(length=0)
    if len(matrix) <= 12:
        for row, column in np.argwhere(matrix.to_numpy() >= 0.005):
            share = matrix.iat[row, column]
            colour = "#fefefe" if share > 0.5 else "#111111"
            text = f"{100 * share:.0f}"
            axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", size=style.small, color=colour)


def _worst(matrix: pd.DataFrame) -> str:
    values = matrix.to_numpy().copy()
    np.fill_diagonal(values, 0)
    if not values.any():
        return "makes no error"
    row, column = np.unravel_index(values.argmax(), values.shape)
    share = 100 * values[row, column]
    return f"most often takes {matrix.index[row]} for {matrix.columns[column]} ({share:.0f} % of it)"
