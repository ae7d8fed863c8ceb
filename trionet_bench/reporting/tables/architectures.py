"""Found networks, written out."""

from typing import Any

import numpy as np
import pandas as pd

from trionet_bench.analysis.placement import searched_blocks
from trionet_bench.analysis.results import CELL, Results
from trionet_bench.analysis.summary import in_report_order
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
    written = blocks[CELL].assign(text=[_block(block) for block in blocks.itertuples()], stage=blocks.stage)
    written["text"] = np.where(written.duplicated([*CELL, "stage"]), " ", " · ") + written.text
    lines = written.groupby(CELL, sort=False).text.agg("".join).str.removeprefix(" · ").rename("blocks").reset_index()
    found = in_report_order(lines.merge(results.complete, on=CELL), results)
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


def _block(block: Any) -> str:
    letter = {"conv": "C", "local": "L", "axial": "A"}.get(block.operator, f"{block.operator}:")
    options = "".join(
        f"{name}{int(value)}"
        for name, value in (("k", block.kernel), ("w", block.window), ("h", block.heads))
        if not pd.isna(value)
    )
    expansion = "" if pd.isna(block.expansion) else f"/{1 / block.expansion:g}"
    return f"{letter}{options}{expansion}"
