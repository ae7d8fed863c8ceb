"""The last words of ``compare``: a small table and one plain sentence about each candidate."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from trionet_bench.analysis.comparisons import compare
from trionet_bench.analysis.results import Results, load
from trionet_bench.analysis.summary import summarise
from trionet_bench.reporting.text import absent, compact, interval, percent, points


def verdict(folders: Sequence[Path]) -> tuple[pd.DataFrame, str]:
    """Accuracy with interval, MACs and difference to the baseline for each model, and what that means in words."""
    results = load(folders)
    summary = summarise(results)
    comparisons = compare(results)
    comparisons = comparisons[comparisons.declared.astype(bool)]
    rows = []
    for row in summary.itertuples():
        own = comparisons[(comparisons.candidate == row.model) & (comparisons.budget == row.budget)]
        difference = own.iloc[0] if len(own) else None
        rows.append(
            {
                "model": row.model,
                "top-1 %": percent(row.mean),
                "95 % interval": interval(row.low, row.high),
                "seeds": int(row.n),
                "MACs": compact(_macs(results, str(row.model), int(row.budget))),
                "difference": "" if difference is None else points(difference["mean"]),
                "interval of it": "" if difference is None else interval(difference.low, difference.high, signed=True),
                "verdict": "baseline" if difference is None else difference.verdict,
            }
        )
    sentences = [_sentence(results, row) for _, row in comparisons.iterrows()]
    return pd.DataFrame(rows), "; ".join(filter(None, sentences)) + "." if any(sentences) else ""


def _macs(results: Results, model: str, budget: int) -> float:
    cells = results.complete
    return float(cells[(cells.model == model) & (cells.budget == budget)].macs.mean())


def _sentence(results: Results, row: "pd.Series") -> str:
    """Such as "local is within the margin of conv at 0.6 of its MACs"."""
    if absent(row["mean"]):
        return ""
    ratio = _macs(results, row.candidate, row.budget) / _macs(results, row.baseline, row.budget)
    cost = f"at {ratio:.2f} of its MACs"
    half = "" if absent(row.low) else f" ± {percent((row.high - row.low) / 2)}"
    size = f"{percent(abs(row['mean']))}{half} points"
    side = "ahead" if row["mean"] > 0 else "behind"
    if row.verdict == "better":
        return f"{row.candidate} is ahead of {row.baseline} by {size} {cost}"
    if row.verdict == "worse":
        return f"{row.candidate} is behind {row.baseline} by {size} {cost}"
    if row.verdict in ("matches", "worse, within the margin"):
        return f"{row.candidate} is within the margin of {row.baseline} ({size} {side}) {cost}"
    if row.low > 0 or row.high < 0:
        side = "ahead of" if row["mean"] > 0 else "behind"
        return f"{row.candidate} alone is {side} {row.baseline} by {size} {cost}, but not among all that is compared"
    return f"{row.candidate} cannot be told from {row.baseline} yet ({size} {side}) {cost}"
