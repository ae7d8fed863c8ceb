"""What ``compare`` prints at its end: a small table and the sentences that the report opens with."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from trionet_bench.analysis.comparisons import compare
from trionet_bench.analysis.results import load
from trionet_bench.analysis.summary import summarise
from trionet_bench.reporting.answer import answer
from trionet_bench.reporting.quantity import primary
from trionet_bench.reporting.tables.results import dagger
from trionet_bench.reporting.text import DASH, compact


def verdict(folders: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """The primary metric, MACs and the difference to the baseline of each model, and the report's first sentences."""
    results = load(folders)
    quantity = primary(results)
    summary = summarise(results)
    known = compare(results)
    known = known[known.declared.astype(bool) & (known.metric == results.score)]
    rows = []
    for row in summary.itertuples():
        of_model = known[(known.candidate == row.model) & (known.budget == row.budget)]
        difference = of_model.iloc[0] if len(of_model) else None
        mean, interval, macs = DASH, DASH, DASH
        if row.shown:
            mean, macs = f"{quantity.number(row.mean)}{dagger(row)}", compact(row.macs)
            interval = quantity.interval(row.low, row.high)
        ahead = bounds = ""
        if difference is not None:
            ahead = quantity.difference(difference["mean"])
            bounds = quantity.difference_interval(difference.low, difference.high)
        rows.append(
            {
                "model": row.model,
                f"{quantity.label} {quantity.unit}".rstrip(): mean,
                "95 % interval": interval,
                "seeds": int(row.n),
                "MACs": macs,
                f"difference{quantity.difference_bracketed}": ahead,
                "interval of it": bounds,
                "verdict": "baseline" if difference is None else difference.verdict,
            }
        )
    return pd.DataFrame(rows), answer(results)
