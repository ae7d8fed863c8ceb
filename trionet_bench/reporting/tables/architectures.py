"""Found networks, written out."""

import pandas as pd

from trionet_bench.analysis.placement import searched_blocks
from trionet_bench.analysis.results import CELL, Results
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import compact, percent

_DATA = [
    "stage",
    "block",
    "operator",
    "expansion",
    "kernel",
    "window",
    "heads",
    "qk",
    "v",
    "width",
    "mid_width",
    "macs",
]


def found_architectures(results: Results) -> Table | None:
    """One row a found network: its blocks in order, stages between bars."""
    blocks = searched_blocks(results).sort_values([*CELL, "stage", "block"])
    if blocks.empty:
        return None
    facts = results.complete.set_index(CELL)
    rows = []
    for cell, group in blocks.groupby(CELL, sort=False):
        stages = [
            " ".join(_block(block) for block in stage.itertuples()) for _, stage in group.groupby("stage", sort=True)
        ]
        fact = facts.loc[cell]
        rows.append((*cell, " · ".join(stages), fact.macs, fact.params, fact.get("test_top1")))
    found = pd.DataFrame(rows, columns=[*CELL, "blocks", "macs", "params", "test_top1"])
    text = pd.DataFrame(
        {
            "Data set": found.dataset,
            "Budget": found.budget.map(compact),
            "Model": found.model,
            "Seed": found.seed.astype(str),
            "Blocks": found.blocks,
            "MACs": found.macs.map(compact),
            "Params": found.params.map(compact),
            "Top-1 (%)": found.test_top1.map(percent),
        }
    )
    note = (
        "Blocks in order, stages apart by dots: C convolution, L local, A axial attention, others by name; then k "
        "kernel or w window, h heads, and after the stroke how many times the block's output is wider than its middle."
    )
    return Table(blocks[[*CELL, *_DATA]], text, note, groups=3, numbers=["Seed", "MACs", "Params", "Top-1 (%)"])


def _block(block: "pd.Series[float]") -> str:
    letter = {"conv": "C", "local": "L", "axial": "A"}.get(block.operator, f"{block.operator}:")
    options = "".join(
        f"{name}{int(value)}"
        for name, value in (("k", block.kernel), ("w", block.window), ("h", block.heads))
        if not pd.isna(value)
    )
    expansion = "" if pd.isna(block.expansion) else f"/{1 / block.expansion:g}"
    return f"{letter}{options}{expansion}"
