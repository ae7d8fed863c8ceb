"""The declared comparisons as intervals against the margin that was declared with them."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from trionet_bench.analysis.comparisons import compare
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.names import named
from trionet_bench.reporting.quantity import Quantity, quantity_of, spoken
from trionet_bench.reporting.style import MUTED, Look, Style, looks, new_figure
from trionet_bench.reporting.text import MINUS, compact, listed
from trionet_bench.units import counted

MAX_ROWS = 40
_GROUP = ["metric", "candidate", "baseline", "budget"]


def draw_differences(results: Results, style: Style) -> Drawing | None:
    """One line a row of the comparison table: a diamond for all data sets together, a marker for a single one."""
    table = compare(results)
    if table["mean"].isna().all():
        return None
    shown = _fitting(table)
    look = looks(results.models)
    several = shown.metric.nunique() > 1
    quantities = {name: quantity_of(results, name) for name in table.metric.unique()}
    lines = len(shown) + 0.6 * (shown.groupby(_GROUP, sort=False).ngroups - 1) + several * shown.metric.nunique()
    figure = new_figure(style.page, (0.15 * lines + 0.6) * style.scale)
    axis = figure.subplots()
    y, before = 0.0, ""
    ticks: list[tuple[float, str, str]] = []  # place, label, weight
    for (metric, candidate, baseline, budget), group in shown.groupby(_GROUP, sort=False):
        if several and metric != before:
            ticks.append((y, f"{spoken(results, str(metric))}:", "normal"))
            y, before = y + 1, metric
        top, quantity = y, quantities[metric]
        for row in group.itertuples():
            difference = f"{named(candidate)} {MINUS} {named(baseline)}, {compact(budget)}"
            name = difference if row.declared else named(row.dataset)
            name += f", {named(row.dataset)}" if row.declared and row.dataset != "all" else ""
            ticks.append((y, name, "bold" if row.declared else "normal"))
            _line(axis, row, y, look[candidate], style, quantity.scale)
            y += 1
        margin = group.margin.iloc[0]
        if not pd.isna(margin):
            place = -quantity.direction * quantity.scale * margin
            axis.plot([place] * 2, [top - 0.5, y - 0.5], color="#b3261e", ls=(0, (4, 2)), lw=style.line)
        y += 0.6
    axis.axvline(0, color=MUTED, lw=0.8 * style.scale, zorder=0)
    axis.set_yticks([place for place, _, _ in ticks], [label for _, label, _ in ticks])
    for tick, (_, _, weight) in zip(axis.get_yticklabels(), ticks, strict=True):
        tick.set_fontweight(weight)
    axis.set_ylim(y - 0.9, -0.8)
    axis.grid(visible=True, axis="x")
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)
    of = "" if several else f" of {spoken(results, shown.metric.iloc[0])}"
    axis.set_xlabel(f"difference{_in_units(shown, quantities)}{of}, candidate minus baseline")
    return Drawing(figure, table, _finding(table), _note(table, shown, quantities))


def _in_units(shown: pd.DataFrame, quantities: Mapping[str, Quantity]) -> str:
    units = dict.fromkeys(quantities[name].difference_unit for name in shown.metric)
    return f" in {listed([unit or 'plain numbers' for unit in units])}" if any(units) else ""


def _fitting(table: pd.DataFrame) -> pd.DataFrame:
    """All rows, or the declared ones, or those of the largest budget: the first choice that is not too long."""
    declared = table[table.declared.astype(bool)]
    for choice in (table, declared, declared[declared.budget == declared.budget.max()]):
        if len(choice) <= MAX_ROWS:
            return choice
    return declared[declared.budget == declared.budget.max()].head(MAX_ROWS)


def _line(axis: Any, row: Any, y: float, way: Look, style: Style, scale: int) -> None:
    width = 1.6 * style.line if row.declared else 0.8 * style.line
    size = (5.5 if row.declared else 3.5) * style.scale
    axis.plot([scale * row.low, scale * row.high], [y, y], color=way.colour, lw=width, solid_capstyle="butt")
    axis.plot(
        [scale * row.mean], [y], marker="D" if row.declared else way.marker, ms=size, color=way.colour, mec="#fefefe"
    )
    verdict = row.verdict if row.declared else ""
    axis.annotate(
        verdict,
        (1.0, y),
        xycoords=("axes fraction", "data"),
        xytext=(6 * style.scale, 0),
        textcoords="offset points",
        va="center",
        size=style.small,
        annotation_clip=False,
    )


def _finding(table: pd.DataFrame) -> str:
    """How the declared comparisons ended."""
    declared = table[table.declared.astype(bool)]
    ends = declared.dropna(subset=["mean"]).verdict.value_counts()
    parts = [f"{count} {verdict}" for verdict, count in ends.items()]
    lacking = int(declared["mean"].isna().sum())
    parts += [f"{lacking} without a pair of results"] if lacking else []
    return f"Ends of {counted(len(declared), 'declared comparison')}: {listed(parts)}."


def _note(table: pd.DataFrame, shown: pd.DataFrame, quantities: Mapping[str, Quantity]) -> str:
    parts = [
        "Means of differences paired by data set and seed, with 95 % intervals by the error that all models share and, "
        "where predictions are stored, the noise of the test images"
    ]
    if (table.dataset == "all").any():
        parts.append("thick lines with diamonds: all data sets together, each counting alike")
    if table.margin.notna().any():
        directions = {quantities[name].direction for name in table.metric[table.margin.notna()]}
        margin, side = "the declared margin", "on its better side"
        if directions == {1}:
            margin, side = "minus the declared margin", "to its right"
        elif directions == {-1}:
            side = "to its left"
        parts.append(f"dashed: {margin}; an interval wholly {side} shows non-inferiority")
    note = "; ".join(parts) + "."
    if table["mean"].isna().any():
        note += " Comparisons that lack a pair are not drawn."
    if len(shown) < len(table):
        single = bool(shown.declared.all()) and not table.declared[table.index.difference(shown.index)].any()
        left = "single data sets" if single else "some rows"
        note += f" {left.capitalize()} are left out here; the data have all {len(table)} rows."
    return note
