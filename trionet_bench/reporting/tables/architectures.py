"""Searched networks, written out."""

from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.placement import searched_blocks
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.summary import in_report_order
from trionet_bench.reporting.quantity import primary
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import compact
from trionet_bench.spaces.operators import OPERATORS, operators_for, options_of
from trionet_bench.spaces.resnet import TRIO

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


def searched_architectures(results: Results) -> Table | None:
    """One row a searched network: its blocks in order, stages between bars."""
    blocks = searched_blocks(results).sort_values([*CELL, "stage", "block"])
    if blocks.empty:
        return None
    rows = blocks.to_dict("records")
    written = blocks[[*CELL, "stage", "block"]].assign(text=[_block(block) for block in rows])
    beside = written.duplicated([*CELL, "stage", "block"])
    new_stage = ~written.duplicated([*CELL, "stage"])
    written["text"] = np.select([beside, new_stage], ["+", " · "], " ") + written.text
    lines = written.groupby(CELL, sort=False).text.agg("".join).str.removeprefix(" · ").rename("blocks").reset_index()
    networks = in_report_order(lines.merge(results.complete, on=CELL), results)
    quantity = primary(results)
    text = pd.DataFrame(
        {
            "Data set": networks.dataset,
            "Budget": networks.budget.map(compact),
            "Model": networks.model,
            "Seed": networks.seed.astype(str),
            "Blocks": networks.blocks,
            "MACs": networks.macs.map(compact),
            "Params": networks.params.map(compact),
            quantity.heading: networks[results.score].map(quantity.number),
        }
    )
    note = _note(blocks)
    further = [name for name in options_of(OPERATORS) if name in blocks and name not in _DATA]
    data = blocks[[*CELL, *_DATA, *further, *(("share", "mlp") if blocks.mlp.notna().any() else ())]]
    return Table(data, text, note, groups=3, numbers=["Seed", "MACs", "Params", quantity.heading])


def _note(blocks: pd.DataFrame) -> str:
    """What the codes mean: the operators of ResNets always, other options and transformers where there are some."""
    written = set(blocks.operator)
    operators = [
        f"{spec.code.upper()} {spec.label}" for spec in operators_for("resnet") if spec.name in (*TRIO, *written)
    ]
    further = [
        f", {option.abbreviation} {option.name}"
        for option in options_of(OPERATORS).values()
        if option.abbreviation and option.name not in _DATA and option.name in blocks
    ]
    note = (
        f"Blocks in order, stages apart by dots: {', '.join(operators)}, others by name; then k kernel or w window, "
        f"h heads{''.join(further)}, and after the stroke how many times the block's output is wider than its middle."
    )
    if blocks.mlp.notna().any():
        parts = " and ".join(f"{spec.code.upper()} {spec.label}" for spec in operators_for("glit"))
        note += (
            f" In transformers {parts}, each with its share where both divide a block; after the star how many times "
            "it is wider inside; f feed-forward over block width."
        )
    return note


def _block(block: Mapping[Hashable, Any]) -> str:
    """A block in the manner of ``L2/3h4/4``: the operator's code, its share, its options, its width."""
    name = block["operator"]
    code = OPERATORS.get(name).code.upper() if name in OPERATORS else f"{name}:"
    share = "" if block["share"] == 1 else str(Fraction(block["share"]).limit_denominator(100))
    shown = {option.name: option.abbreviation for option in options_of(OPERATORS).values() if option.abbreviation}
    options = "".join(
        f"{letter}{block[option]:g}"
        for option, letter in (shown | {"mlp": "f"}).items()
        if not pd.isna(block.get(option))
    )
    return f"{code}{share}{options}{_width(block['expansion'])}"


def _width(expansion: float) -> str:
    """Inside over output, as a quotient where it is narrower and as a factor where it is not."""
    if pd.isna(expansion):
        return ""
    return f"/{1 / expansion:g}" if expansion < 1 else f"*{expansion:g}"
