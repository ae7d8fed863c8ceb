"""What ``compare`` prints at its end: a small table and the sentences that the report opens with."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from trionet_bench.analysis.comparisons import compare
from trionet_bench.analysis.results import Results, load
from trionet_bench.analysis.summary import summarise
from trionet_bench.reporting.answer import answer
from trionet_bench.reporting.quantity import primary, quantity_of
from trionet_bench.reporting.text import compact


def verdict(folders: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """The primary metric, MACs and the difference to the baseline of each model, and the report's first sentences."""
    results = load(folders)
    quantity = primary(results)
    summary = summarise(results)
    comparisons = compare(results)
    comparisons = comparisons[comparisons.declared.astype(bool)]
    rows = []
    for row in summary.itertuples():
        rows_of_model = comparisons[(comparisons.candidate == row.model) & (comparisons.budget == row.budget)]
        difference = rows_of_model.iloc[0] if len(rows_of_model) else None
        compared = quantity if difference is None else quantity_of(results, difference.metric)
        rows.append(
            {
                "model": row.model,
                f"{quantity.label} {quantity.unit}".rstrip(): quantity.number(row.mean),
                "95 % interval": quantity.interval(row.low, row.high),
                "seeds": int(row.n),
                "MACs": compact(_macs(results, str(row.model), int(row.budget))),
                "difference": "" if difference is None else compared.difference(difference["mean"]),
                "interval of it": ""
                if difference is None
                else compared.difference_interval(difference.low, difference.high),
                "verdict": "baseline" if difference is None else difference.verdict,
            }
        )
    return pd.DataFrame(rows), answer(results)


def _macs(results: Results, model: str, budget: int) -> float:
    cells = results.complete
    return float(cells[(cells.model == model) & (cells.budget == budget)].macs.mean())
