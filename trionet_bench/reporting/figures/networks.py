"""Searched networks drawn block by block, as figures of architectures are."""

from math import inf
from typing import Any

import pandas as pd
from matplotlib.patches import FancyBboxPatch, Patch, Rectangle
from matplotlib.text import Text

from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.placement import searched_blocks
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.figures.placement import leading_searches
from trionet_bench.reporting.labels import fit_widths
from trionet_bench.reporting.names import named
from trionet_bench.reporting.quantity import primary
from trionet_bench.reporting.style import (
    GRID,
    INK,
    MUTED,
    Style,
    new_figure,
    operator_colour,
    operator_hatch,
    operators_in_order,
)
from trionet_bench.reporting.text import compact
from trionet_bench.spaces.operators import OPERATORS, options_of
from trionet_bench.units import counted

MAX_NETWORKS = 8
_ROW = 1.19  # inches for one network at paper size
_TALLEST = 0.42  # inches, expansion 1/2
_WIDEST_MLP = 6  # over the width of a transformer; as tall as that
_GAP, _END = 0.14, 0.36  # inches between stages, and of stem and head


def draw_networks(results: Results, style: Style) -> Drawing | None:
    """One row a network: colour and hatch are the operator, height the expansion; the options are written."""
    blocks = searched_blocks(results)
    blocks = blocks[blocks.model.isin(leading_searches(results))]
    if blocks.empty:
        return None
    cells = results.complete.merge(blocks[CELL].drop_duplicates(), on=CELL)
    chosen = _chosen(cells, results)
    operators = operators_in_order(blocks.operator)
    unit = style.page / 6.9
    height = (_ROW * len(chosen) + 0.42) * unit
    figure = new_figure(style.page, height, arranged=False)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    axis.set(xlim=(0, 6.9), ylim=(0, height / unit))
    drawn = [
        blocks[(blocks[CELL] == cell[CELL]).all(axis=1)].sort_values(["stage", "block"])
        for _, cell in chosen.iterrows()
    ]
    pitch, quantity = _pitch(drawn), primary(results)
    heads: dict[Text, str] = {}
    room = inf
    for row, ((_, cell), network) in enumerate(zip(chosen.iterrows(), drawn, strict=True)):
        measured = f"{quantity.with_unit(cell.get(results.score))} {quantity.label}"
        facts = f"{measured} · {compact(cell.macs)} MACs · {compact(cell.params)} parameters"
        bottom = height / unit - _ROW * (row + 1)
        head, known = _head(axis, facts, bottom + _ROW - 0.1, style)
        heads[head] = f"{named(cell.dataset)}, {named(cell.model)} at {compact(cell.budget)}, seed {cell.seed}"
        room = min(room, known.get_window_extent().x0 - head.get_window_extent().x0 - 0.2 * figure.dpi)
        _network(axis, network, bottom, pitch, style)
    fit_widths(heads, room)
    patches = [
        Patch(fc=operator_colour(name), hatch=operator_hatch(name), ec="#fefefe", label=name) for name in operators
    ]
    axis.legend(handles=patches, loc="lower left", bbox_to_anchor=(0.008, 0.0), ncols=len(patches), borderaxespad=0.2)
    transformers = blocks.mlp.notna()
    height_is = "expansion ⅛, ¼, ½"
    if transformers.any():
        height_is = "feed-forward width" if transformers.all() else "expansion or feed-forward"
    written = [option for option in options_of(OPERATORS).values() if option.abbreviation and option.name in blocks]
    key = " · ".join([f"height: {height_is}", *(f"{option.abbreviation}: {option.name}" for option in written)])
    axis.text(6.85, 0.13, key, ha="right", va="center", size=style.small, color=MUTED)
    return Drawing(figure, blocks, _finding(blocks), _note(chosen, cells))


def _chosen(cells: pd.DataFrame, results: Results) -> pd.DataFrame:
    """All networks when they fit; else the lowest seed of each model, data set and budget, the first ones."""
    orders = {"dataset": results.datasets, "model": results.models}
    cells = cells.sort_values(
        ["model", "dataset", "budget", "seed"],
        key=lambda c: c.map({name: place for place, name in enumerate(orders[c.name])}) if c.name in orders else c,
    )
    if len(cells) > MAX_NETWORKS:
        cells = cells.drop_duplicates(["dataset", "model", "budget"]).head(MAX_NETWORKS)
    return cells


def _pitch(networks: list[pd.DataFrame]) -> float:
    """Width of a block, the same for all networks, so that the longest fills the page."""
    room = [(6.75 - 2 * _END - _GAP * (network.stage.nunique() + 1)) / _count(network) for network in networks]
    return min(0.8, *room) if room else 0.8


def _count(rows: pd.DataFrame) -> int:
    """Blocks, of which those of several operators have several rows."""
    return len(rows[["stage", "block"]].drop_duplicates())


def _head(axis: Any, facts: str, y: float, style: Style) -> tuple[Text, Text]:
    """Over the blocks of a network: an empty text at the left, and ``facts`` at the right."""
    head = axis.text(0.08, y, "", weight="bold", va="center", size=style.size)
    return head, axis.text(6.85, y, facts, ha="right", va="center", size=style.small, color=MUTED)


def _network(axis: Any, blocks: pd.DataFrame, bottom: float, pitch: float, style: Style) -> None:
    stages = blocks.stage.nunique()
    middle = bottom + 0.49
    x = 0.08
    x = _end(axis, x, middle, "stem", style) + _GAP
    start = x
    length = _count(blocks) * pitch + (stages - 1) * _GAP
    axis.plot([0.08 + _END, start + length + _GAP], [middle, middle], color=MUTED, lw=0.8, zorder=1)
    for _, stage in blocks.groupby("stage", sort=True):
        first = stage.iloc[0]
        width = pitch * _count(stage)
        back = FancyBboxPatch(
            (x - 0.03, bottom + 0.03),
            width + 0.03,
            _ROW - 0.25,
            boxstyle="round,pad=0,rounding_size=0.04",
            fc=GRID,
            ec="none",
            alpha=0.45,
        )
        axis.add_patch(back)
        label = f"{first.resolution} px, {compact(first.width)} ch" if width > 0.8 else f"{first.resolution} px"
        axis.text(x + width / 2, bottom + _ROW - 0.3, label, ha="center", va="center", size=style.small, color=MUTED)
        for _, block in stage.groupby("block", sort=True):
            _block(axis, block, x, middle, pitch, style)
            x += pitch
        x += _GAP
    _end(axis, x, middle, "head", style)


def _end(axis: Any, x: float, middle: float, label: str, style: Style) -> float:
    axis.add_patch(Rectangle((x, middle - 0.13), _END, 0.26, fc="none", ec=MUTED, lw=0.8))
    axis.text(x + _END / 2, middle, label, ha="center", va="center", size=style.small, color=INK)
    return x + _END


def _block(axis: Any, rows: pd.DataFrame, x: float, middle: float, pitch: float, style: Style) -> None:
    """One box, divided among the operators of the block by their shares."""
    height = _height(rows.iloc[0])
    top = middle + height / 2
    for _, part in rows.iterrows():
        top -= height * part.share
        box = Rectangle(
            (x + 0.04 * pitch, top),
            0.86 * pitch,
            height * part.share,
            fc=operator_colour(part.operator),
            hatch=operator_hatch(part.operator),
            ec="#fefefe",
            lw=0.4,
            zorder=2,
        )
        axis.add_patch(box)
    shown = [option for option in options_of(OPERATORS).values() if option.abbreviation]
    options = [
        f"{option.abbreviation}{part[option.name]:g}"
        for _, part in rows.iterrows()
        for option in shown
        if option.name in part and not pd.isna(part[option.name])
    ]
    joined = " ".join(options)
    fits = 0.5 * style.small / 72 * 6.9 / style.page * len(joined) < pitch
    lines = [joined] if fits else options
    for line, text in enumerate(lines[:2]):
        y = middle - _TALLEST / 2 - 0.09 - 0.11 * line
        axis.text(x + pitch * 0.47, y, text, ha="center", va="center", size=style.small, color=INK)


def _height(block: Any) -> float:
    """By the feed-forward width of a transformer's block, by the expansion of others."""
    if not pd.isna(block.mlp):
        return _TALLEST * min(float(block.mlp) / _WIDEST_MLP, 1.0)
    expansion = 0.25 if pd.isna(block.expansion) else min(float(block.expansion), 0.5)
    return _TALLEST * expansion / 0.5


def _finding(blocks: pd.DataFrame) -> str:
    """How many networks have more than one operator."""
    operators = blocks.groupby(CELL).operator.nunique()
    return f"{int((operators > 1).sum())} of {counted(len(operators), 'found network')} mix operators."


def _note(chosen: pd.DataFrame, cells: pd.DataFrame) -> str:
    if len(chosen) == len(cells):
        return "All found networks."
    return f"{len(chosen)} of {len(cells)} found networks: the lowest seed of each; the data have all."
