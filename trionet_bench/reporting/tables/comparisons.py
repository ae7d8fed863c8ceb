"""The declared comparisons, with intervals, corrected p-values and verdicts."""

import pandas as pd

from trionet_bench.analysis.comparisons import compare
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, MINUS, absent, compact, interval, listed, p_value, points, spoken
from trionet_bench.units import counted


def declared_comparisons(results: Results) -> Table | None:
    """One row for each comparison, candidate and budget; below it its single data sets where there are several."""
    table = compare(results)
    if table.empty:
        return None
    text = pd.DataFrame(
        {
            "Comparison": [f"{row.candidate} {MINUS} {row.baseline}" for row in table.itertuples()],
            "Budget": table.budget.map(compact),
            "Data set": [f"all {row.datasets}" if row.dataset == "all" else row.dataset for row in table.itertuples()],
            "Pairs": [_pairs(row.pairs, row.expected_pairs) for row in table.itertuples()],
            "Difference": table["mean"].map(points),
            "95 % interval": [interval(row.low, row.high, signed=True) for row in table.itertuples()],
            "p (Holm)": table.p_holm.map(p_value),
            "Sign-flip p": [_sign_flip(row.p_sign_flip, row.p_smallest) for row in table.itertuples()],
            "Margin": [DASH if absent(margin) else f"{100 * margin:g}" for margin in table.margin],
            "Verdict": table.verdict,
        }
    )
    if table.metric.nunique() > 1:
        text.insert(0, "Metric", table.metric.map(spoken))
    numbers = ["Pairs", "Difference", "95 % interval", "p (Holm)", "Sign-flip p", "Margin"]
    return Table(table, text, _note(table), groups=2 + (table.metric.nunique() > 1), numbers=numbers)


def _pairs(found: int, expected: int) -> str:
    return str(found) if found == expected else f"{found} of {expected}"


def _sign_flip(p: float, smallest: float) -> str:
    return DASH if absent(p) else f"{p_value(p)} (≥ {smallest:.2g})"


def _note(table: pd.DataFrame) -> str:
    family = int(table.declared.sum())
    note = (
        f"Candidate minus baseline in points of {listed([spoken(name) for name in table.metric.unique()])}, paired by "
        "data set and seed. Intervals and p come from the paired t-test within data sets: they speak of these data "
        f"sets under new seeds. Holm's correction runs over the {counted(family, 'declared comparison')} only. Beside "
        "the exact sign-flip p stands the least value that so few pairs can give. "
    )
    if table.margin.notna().any():
        note += (
            "“matches”: shown to lie above minus the margin (one-sided t-test, Holm); a difference that is merely not "
            "significant is “undecided”. "
        )
    if table.new_low.notna().any():
        note += "The data file also has the wider interval for data sets like these."
    return note.strip()
