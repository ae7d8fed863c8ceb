"""What ``compare`` prints at its end: a small table and one sentence about each candidate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from trionet_bench.analysis.comparisons import compare
from trionet_bench.analysis.results import Results, load
from trionet_bench.analysis.summary import summarise
from trionet_bench.reporting.quantity import primary, quantity_of
from trionet_bench.reporting.text import absent, compact


def verdict(folders: Sequence[Path]) -> tuple[pd.DataFrame, str]:
    """The primary metric, MACs and the difference to the baseline of each model, and what that means in words."""
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
    sentences = [sentence(results, row) for _, row in comparisons.iterrows()]
    return pd.DataFrame(rows), "; ".join(filter(None, sentences)) + "." if any(sentences) else ""


def _macs(results: Results, model: str, budget: int) -> float:
    cells = results.complete
    return float(cells[(cells.model == model) & (cells.budget == budget)].macs.mean())


def sentence(results: Results, row: "pd.Series[Any]") -> str:
    """A row of ``compare`` in words, such as "local is within the margin of conv at 0.6 of its MACs"."""
    if absent(row["mean"]):
        return ""
    ratio = _macs(results, row.candidate, row.budget) / _macs(results, row.baseline, row.budget)
    cost = f"at {ratio:.2f} of its MACs"
    quantity = quantity_of(results, row.metric)
    half = "" if absent(row.low) else f" ± {quantity.number((row.high - row.low) / 2)}"
    size = f"{quantity.number(abs(row['mean']))}{half} {quantity.difference_unit}".rstrip()
    side = "ahead" if quantity.direction * row["mean"] > 0 else "behind"
    if row.verdict == "better":
        return f"{row.candidate} is ahead of {row.baseline} by {size} {cost}"
    if row.verdict == "worse":
        return f"{row.candidate} is behind {row.baseline} by {size} {cost}"
    if row.verdict in ("matches", "worse, within the margin"):
        return f"{row.candidate} is within the margin of {row.baseline} ({size} {side}) {cost}"
    if row.low > 0 or row.high < 0:
        side = {"ahead": "ahead of"}.get(side, side)
        return f"{row.candidate} alone is {side} {row.baseline} by {size} {cost}, but not among all that is compared"
    return f"{row.candidate} cannot be told from {row.baseline} yet ({size} {side}) {cost}"
