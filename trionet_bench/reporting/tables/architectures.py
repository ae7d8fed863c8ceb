"""Found networks, written out."""

from fractions import Fraction
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


LETTERS = {"conv": "C", "local": "L", "axial": "A", "global": "G", "locality": "S"}


def found_architectures(results: Results) -> Table | None:
    """One row a found network: its blocks in order, stages between bars."""
    blocks = searched_blocks(results).sort_values([*CELL, "stage", "block"])
    if blocks.empty:
        return None
    written = blocks[[*CELL, "stage", "block"]].assign(text=[_block(block) for block in blocks.itertuples()])
    beside = written.duplicated([*CELL, "stage", "block"])
    new_stage = ~written.duplicated([*CELL, "stage"])
    written["text"] = np.select([beside, new_stage], ["+", " · "], " ") + written.text
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
    if blocks.mlp.notna().any():
        note += (
            " In transformers G global attention and S convolution along the sequence, each with its share where both "
            "divide a block; after the star how many times it is wider inside; f feed-forward over block width."
        )
    data = blocks[[*CELL, *_DATA, *(("share", "mlp") if blocks.mlp.notna().any() else ())]]
    return Table(data, text, note, groups=3, numbers=["Seed", "MACs", "Params", "Top-1 (%)"])


def _block(block: Any) -> str:
    letter = LETTERS.get(block.operator, f"{block.operator}:")
    share = "" if block.share == 1 else str(Fraction(block.share).limit_denominator(100))
    options = "".join(
        f"{name}{int(value)}"
        for name, value in (("k", block.kernel), ("w", block.window), ("h", block.heads), ("f", block.mlp))
        if not pd.isna(value)
    )
    return f"{letter}{share}{options}{_width(block.expansion)}"


def _width(expansion: float) -> str:
    """Inside over output, as a quotient where it is narrower and as a factor where it is not."""
    if pd.isna(expansion):
        return ""
    return f"/{1 / expansion:g}" if expansion < 1 else f"*{expansion:g}"
