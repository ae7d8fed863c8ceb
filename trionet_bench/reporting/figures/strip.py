"""Found networks as strips, stem to head: which operator stands where, and nothing else."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from trionet_bench.analysis.controls import asked_datasets
from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.placement import searched_blocks
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.figures.placement import leading_searches
from trionet_bench.reporting.names import named
from trionet_bench.reporting.quantity import capitalised
from trionet_bench.reporting.style import (
    MUTED,
    Style,
    new_figure,
    operator_colour,
    operator_hatch,
    operators_in_order,
    shared_legend,
)
from trionet_bench.units import counted

MAX_NETWORKS = 20
_GAP = 0.5  # between stages, in blocks
_END = 0.45  # of stem and head


def draw_strip(results: Results, style: Style) -> Drawing | None:
    """One row a found network at the largest budget of its data set, one box a block; stages are apart."""
    blocks = searched_blocks(results)
    models = leading_searches(results)
    kept = asked_datasets(results)
    blocks = blocks[blocks.model.isin(models) & blocks.dataset.isin(kept)]
    blocks = blocks[blocks.budget == blocks.groupby("dataset").budget.transform("max")]
    if blocks.empty:
        return None
    model = next(name for name in models if name in set(blocks.model))
    blocks = blocks[blocks.model == model]
    networks = list(blocks.groupby(CELL, sort=True))
    order = {name: place for place, name in enumerate(results.datasets)}
    networks.sort(key=lambda item: (order[item[0][0]], item[0][3]))
    drawn = networks[:MAX_NETWORKS]
    figure = new_figure(style.column, (0.17 * len(drawn) + 0.45) * style.scale)
    axis = figure.subplots()
    several = len({cell[0] for cell, _ in drawn}) > 1
    ends = [_row(axis, rows, place, style) for place, (_, rows) in enumerate(drawn)]
    labels = [f"{named(cell[0])}, seed {cell[3]}" if several else f"seed {cell[3]}" for cell, _ in drawn]
    axis.set(xlim=(-_END - 0.1, max(ends) + 0.1), ylim=(len(drawn) - 0.4, -0.6))
    axis.set_yticks(range(len(drawn)), labels)
    axis.set_xticks([])
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    operators = operators_in_order(blocks.operator)
    patches = [Patch(fc=operator_colour(name), hatch=operator_hatch(name), ec="#fefefe") for name in operators]
    shared_legend(figure, patches, operators, style)
    share = blocks.groupby("operator").share.sum().sort_values(ascending=False)
    found = counted(len(networks), "network")
    first = capitalised(str(share.index[0]))
    alt = f"{first} takes more blocks than any other operator in the {found} that {model} found."
    alt = alt if len(share) > 1 else f"{first} takes all blocks in the {found} that {model} found."
    note = f"Networks that {model} found, stem at the left, head at the right; a box is a block, gaps part the stages."
    if len(drawn) < len(networks):
        note += f" The first {len(drawn)} of {len(networks)}; the data have all."
    return Drawing(figure, blocks[[*CELL, "stage", "block", "operator", "share"]], alt, note)


def _row(axis: Axes, rows: pd.DataFrame, y: int, style: Style) -> float:
    """Draw a network; returns where it ends."""
    line = 0.5 * style.scale
    axis.add_patch(Rectangle((-_END, y - 0.2), _END, 0.4, fc="none", ec=MUTED, lw=line))
    x = 0.0
    for _, stage in rows.groupby("stage", sort=True):
        x += _GAP if x else 0.1
        for _, block in stage.groupby("block", sort=True):
            top = y - 0.38
            for part in block.itertuples():
                colour, hatch = operator_colour(str(part.operator)), operator_hatch(str(part.operator))
                height = 0.76 * float(str(part.share))
                axis.add_patch(Rectangle((x, top), 0.94, height, ec="#fefefe", lw=line, fc=colour, hatch=hatch))
                top += height
            x += 1
    axis.add_patch(Rectangle((x + 0.1, y - 0.2), _END, 0.4, fc="none", ec=MUTED, lw=line))
    return x + 0.1 + _END
