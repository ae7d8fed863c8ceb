"""The declared comparisons, with intervals, corrected p-values and verdicts."""

import pandas as pd

from trionet_bench.analysis.comparisons import compare
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.quantity import quantity_of, spoken
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, MINUS, absent, compact, listed, p_value
from trionet_bench.units import counted


def declared_comparisons(results: Results) -> Table | None:
    """One row for each comparison, candidate and budget; below it its single data sets where there are several."""
    table = compare(results)
    if table.empty:
        return None
    quantities = [quantity_of(results, metric) for metric in table.metric]
    rows = list(zip(table.itertuples(), quantities, strict=True))
    text = pd.DataFrame(
        {
            "Comparison": [f"{row.candidate} {MINUS} {row.baseline}" for row in table.itertuples()],
            "Budget": table.budget.map(compact),
            "Data set": [f"all {row.datasets}" if row.dataset == "all" else row.dataset for row in table.itertuples()],
            "Pairs": [_pairs(row.pairs, row.expected_pairs) for row in table.itertuples()],
            "Difference": [quantity.difference(row.mean) for row, quantity in rows],
            "95 % interval": [quantity.difference_interval(row.low, row.high) for row, quantity in rows],
            "p (Holm)": table.p_holm.map(p_value),
            "Of the pair alone": [quantity.difference_interval(row.pair_low, row.pair_high) for row, quantity in rows],
            "Sign-flip p": [_sign_flip(row.p_sign_flip, row.p_smallest) for row in table.itertuples()],
            "Margin": [DASH if absent(row.margin) else f"{quantity.scale * row.margin:g}" for row, quantity in rows],
            "Verdict": table.verdict,
        }
    )
    if table.metric.nunique() > 1:
        text.insert(0, "Metric", [spoken(results, metric) for metric in table.metric])
    numbers = ["Pairs", "Difference", "95 % interval", "p (Holm)", "Of the pair alone", "Sign-flip p", "Margin"]
    return Table(table, text, _note(results, table), groups=2 + (table.metric.nunique() > 1), numbers=numbers)


def _pairs(known: int, expected: int) -> str:
    return str(known) if known == expected else f"{known} of {expected}"


def _sign_flip(p: float, smallest: float) -> str:
    return DASH if absent(p) else f"{p_value(p)} (≥ {smallest:.2g})"


def _note(results: Results, table: pd.DataFrame) -> str:
    family = int(table.declared.sum())
    metrics = {name: quantity_of(results, name) for name in table.metric.unique()}
    by_unit: dict[str, list[str]] = {}
    for name, quantity in metrics.items():
        by_unit.setdefault(quantity.difference_unit, []).append(spoken(results, name))
    of = listed([f"{f'in {unit} ' if unit else ''}of {listed(names)}" for unit, names in by_unit.items()])
    note = (
        f"Candidate minus baseline {of}, paired by data set and seed. Intervals and p rest on the error that is left "
        "of all models' values without model and seed, within data sets, and where predictions are stored on the noise "
        "of the test images: they speak of these data sets under new seeds and images; a row of a single data set has "
        "the error of that set. The interval of the pair alone has the error of these two models. Holm's correction "
        f"runs over the {counted(family, 'declared comparison')} only. Beside the exact sign-flip p stands the least "
        "value that so few pairs can give. "
    )
    if table.margin.notna().any():
        directions = {metrics[name].direction for name in table.metric[table.margin.notna()]}
        shown = "to be worse by less than the margin"
        if directions == {1}:
            shown = "to lie above minus the margin"
        elif directions == {-1}:
            shown = "to lie below the margin"
        note += (
            f"“matches”: shown {shown} (one-sided t-test, Holm); a difference that is merely not "
            "significant is “undecided”. "
        )
    if (looks := results.declared.looks) is not None:
        counts = listed([str(count) for count in looks.planned])
        note += (
            f"Seeds are added until every comparison is decided or none are left: look {looks.taken} of those at "
            f"{counts} seeds. It decides at the level {looks.level:.2g}; all looks together err in at most 5 %. "
        )
    if table.new_low.notna().any():
        note += "The data file also has the wider interval for data sets like these."
    return note.strip()
