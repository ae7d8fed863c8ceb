"""Operators by stage in numbers: shares with intervals beside the prior, and entropy."""

import pandas as pd

from trionet_bench.analysis.placement import counted_from_1, depth_word, placement_shares, stage_entropy
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, absent, percent, points

_BY = ["dataset", "model"]


def placement_by_stage(results: Results) -> Table | None:
    """One row for each data set, searched model, stage and operator."""
    table = placement_shares(results, _BY, level="stage")
    if table.empty:
        return None
    table = table[(table["count"] > 0) | (table.prior > 0)]  # what no network may have there is left out
    table = table.merge(stage_entropy(results, _BY).drop(columns="blocks"), on=[*_BY, "stage"])
    order = {name: place for place, name in enumerate((*results.datasets, *results.models))}
    table = table.sort_values(
        [*_BY, "stage"], key=lambda c: c.map(order) if c.name in _BY else c, kind="stable", ignore_index=True
    )
    first = int(table.stage.min())
    text = pd.DataFrame(
        {
            "Data set": table.dataset,
            "Model": table.model,
            "Stage": [str(counted_from_1(stage, first)) for stage in table.stage],
            "Operator": table.operator,
            "Blocks": [f"{count:.4g} of {n}" for count, n in zip(table["count"], table.n, strict=True)],
            "Prior (%)": table.prior.map(percent),
            "Less the prior (points)": (table.share - table.prior).map(points),
            "95 % interval": [
                f"[{points(row.low - row.prior)}, {points(row.high - row.prior)}]" for row in table.itertuples()
            ],
            "Share of MACs (%)": table.macs_share.map(percent),
            "Entropy (prior)": [f"{_bits(row.entropy)} ({_bits(row.prior_entropy)})" for row in table.itertuples()],
        }
    )
    note = (
        "Blocks of found networks by stage and operator, over budgets and seeds; prior: the share that sampling gives "
        "before any search; then the share found less the prior, with Wilson's interval. Blocks of one network are not "
        "independent, so the interval is rather too narrow. Entropy of a stage in bits, 0 is one operator only."
    )
    if (table["count"] % 1 > 0).any():
        note += " A block of several operators counts for each by its share."
    if any(depth_word(results, [model]) == "block" for model in set(table.model)):
        note += " Networks of one stage: by block."
    return Table(table, text, note, groups=3, numbers=list(text.columns[4:]))


def _bits(value: float) -> str:
    return DASH if absent(value) else f"{value + 0.0:.2f}"
