"""Tables of the test metrics: the main one, data sets by models, seed by seed, and what is there at all."""

from typing import Any

import pandas as pd

from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.results import GROUP, Results
from trionet_bench.analysis.summary import by_seed, mark_leaders, summarise
from trionet_bench.reporting.quantity import Quantity, primary
from trionet_bench.reporting.tables.doubtful import mark_of, note_of, without_needless_column
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, DOUBTFUL, compact

_MARKS = (
    "Bold: best of its data set and budget, with all that cannot be told from it (the 95 % interval of the difference, "
    "by the error that all models share, contains 0); underlined: the next."
)

DAGGER = "† of one seed, or not all seeds were run yet"


def main_results(results: Results) -> Table | None:
    """One row for each data set, budget and model."""
    if not results.competitors:
        return None
    quantity = primary(results)
    table = summarise(results)
    further = {metric.name: summarise(results, f"test_{metric.name}") for metric in results.task.metrics[1:]}
    shown = table.shown
    marks = mark_leaders(results)
    text = pd.DataFrame(
        {
            "Data set": table.dataset,
            "Budget": table.budget.map(compact),
            "Model": table.model,
            quantity.heading: [
                quantity.spread(row.mean, row.sd) + dagger(row) if row.shown else DASH for row in table.itertuples()
            ],
            "95 % interval": [
                quantity.interval(row.low, row.high) if row.shown else DASH for row in table.itertuples()
            ],
            **dict(_column(Quantity(metric), further[metric.name]) for metric in results.task.metrics[1:]),
            "MACs": [compact(v) if ok else DASH for v, ok in zip(table.macs, shown, strict=True)],
            "Params": [compact(v) if ok else DASH for v, ok in zip(table.params, shown, strict=True)],
            "n": [str(n) if n == e else f"{n} of {e}" for n, e in zip(table.done, table.expected, strict=True)],
        }
    )
    data = without_needless_column(table)
    for name, values in further.items():
        named = values[[*GROUP, "mean", "sd"]].rename(columns={"mean": f"{name}_mean", "sd": f"{name}_sd"})
        data = data.merge(named, on=GROUP)
    marked = pd.DataFrame("", index=text.index, columns=text.columns)
    marked[quantity.heading] = marks.to_numpy()
    numbers = list(text.columns[3:])
    return Table(data, text, _main_note(results, table, quantity), marked, groups=2, numbers=numbers)


def _column(quantity: Quantity, table: pd.DataFrame) -> tuple[str, list[str]]:
    """Heading and means of a further metric."""
    return quantity.heading, [quantity.number(row.mean) if row.shown else DASH for row in table.itertuples()]


def dagger(row: Any) -> str:
    """Behind the mean of a row of ``summarise`` that says less than others, see ``DAGGER``, or that comes from a record
    that is not as it was written.
    """
    return ("†" if row.n == 1 or not row.complete else "") + mark_of(row)


def _main_note(results: Results, table: pd.DataFrame, quantity: Quantity) -> str:
    over = "seeds and test images" if (table.interval == "crossed").any() else "seeds"
    note = f"Test {quantity.noun}, mean ± standard deviation over n seeds; 95 % interval of the mean over {over}. "
    if (table.interval == "test-set").any():
        note += "† one seed: the interval is Wilson's over test images and says nothing about other seeds. "
    elif (table.n == 1).any():
        note += "† one seed: nothing is known of other seeds. "
    if (table.shown & ~table.complete & (table.n > 1)).any():
        note += "† not all seeds were run yet: part of no verdict. "
    if not table.shown.all():
        note += "A dash: seeds failed, and no mean is taken over the rest, or none was run. "
    note += note_of(results)
    return (
        note + "One MAC is one multiply-accumulate; many papers print this number as FLOPs. MACs and parameters are "
        f"means over the seeds. {_MARKS}"
    )


def seed_results(results: Results) -> Table | None:
    """The primary metric of every single cell on the test part."""
    if not results.competitors:
        return None
    quantity = primary(results)
    wide = by_seed(results)
    seeds = [column for column in wide.columns if column not in ("dataset", "budget", "model")]
    text = pd.DataFrame({"Data set": wide.dataset, "Budget": wide.budget.map(compact), "Model": wide.model})
    doubtful = {*results.doubtful[CELL].itertuples(index=False, name=None)}
    for seed in seeds:
        text[f"seed {seed}"] = [
            quantity.number(row[seed], 2) + (DOUBTFUL if (*row[GROUP], seed) in doubtful else "")
            for _, row in wide.iterrows()
        ]
    data = wide.rename(columns={seed: f"seed_{seed}" for seed in seeds})
    note = (
        f"Test {quantity.label}{quantity.in_unit}, one column a seed. A dash: the cell failed, is missing, or is not "
        f"part of the suite. {note_of(results)}".rstrip()
    )
    return Table(data, text, note, groups=2, numbers=[f"seed {seed}" for seed in seeds])


def coverage(results: Results) -> Table | None:
    """Which cells failed or are missing, and why; None when all are there."""
    table = results.coverage()
    lacking = table[table.status != "complete"].reset_index(drop=True)
    if lacking.empty:
        return None
    text = pd.DataFrame(
        {
            "Data set": lacking.dataset,
            "Budget": lacking.budget.map(compact),
            "Model": lacking.model,
            "Seed": lacking.seed.astype(str),
            "Status": lacking.status,
            "Reason": lacking.error.map(lambda reason: reason or DASH),
        }
    )
    return Table(lacking, text, "Cells of the suite without a result.", groups=2, numbers=["Seed"])
