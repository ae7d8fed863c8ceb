"""Tables of accuracy: the main one, data sets by models, seed by seed, and what is there at all."""

from typing import Any

import pandas as pd

from trionet_bench.analysis.results import Results
from trionet_bench.analysis.summary import by_seed, mark_leaders, summarise
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, compact, interval, percent, spread

_MARKS = (
    "Bold: best of its data set and budget, with all that cannot be told from it (the 95 % interval of the difference "
    "paired by seed contains 0); underlined: the next."
)


def main_results(results: Results) -> Table | None:
    """One row for each data set, budget and model."""
    if not results.competitors:
        return None
    table = summarise(results)
    top5 = summarise(results, "test_top5")
    shown = table.complete
    marks = mark_leaders(results)
    text = pd.DataFrame(
        {
            "Data set": table.dataset,
            "Budget": table.budget.map(compact),
            "Model": table.model,
            "Top-1 (%)": [
                spread(row.mean, row.sd) + _dagger(row) if row.complete else DASH for row in table.itertuples()
            ],
            "95 % interval": [interval(row.low, row.high) if row.complete else DASH for row in table.itertuples()],
            "Top-5 (%)": [percent(row.mean) if row.complete else DASH for row in top5.itertuples()],
            "MACs": [compact(v) if ok else DASH for v, ok in zip(table.macs, shown, strict=True)],
            "Params": [compact(v) if ok else DASH for v, ok in zip(table.params, shown, strict=True)],
            "n": [str(n) if ok else f"{n} of {e}" for n, e, ok in zip(table.done, table.expected, shown, strict=True)],
        }
    )
    data = table.merge(
        top5[["dataset", "budget", "model", "mean", "sd"]].rename(columns={"mean": "top5_mean", "sd": "top5_sd"}),
        on=["dataset", "budget", "model"],
    )
    marked = pd.DataFrame("", index=text.index, columns=text.columns)
    marked["Top-1 (%)"] = marks.to_numpy()
    numbers = list(text.columns[3:])
    return Table(data, text, _main_note(table), marked, groups=2, numbers=numbers)


def _dagger(row: Any) -> str:
    return "†" if row.n == 1 else ""


def _main_note(table: pd.DataFrame) -> str:
    note = "Test accuracy, mean ± standard deviation over n seeds, with the 95 % t-interval of the mean. "
    if (table.n == 1).any():
        note += "† one seed: the interval is Wilson's over test images and says nothing about other seeds. "
    if not table.complete.all():
        note += "A dash: seeds failed or are missing; no mean is taken over the rest. "
    return (
        note + "One MAC is one multiply-accumulate; many papers print this number as FLOPs. MACs and parameters are "
        f"means over the seeds. {_MARKS}"
    )


def seed_results(results: Results) -> Table | None:
    """Test accuracy of every single cell."""
    if not results.competitors:
        return None
    wide = by_seed(results)
    seeds = [column for column in wide.columns if column not in ("dataset", "budget", "model")]
    text = pd.DataFrame({"Data set": wide.dataset, "Budget": wide.budget.map(compact), "Model": wide.model})
    for seed in seeds:
        text[f"seed {seed}"] = [percent(value, 2) for value in wide[seed]]
    data = wide.rename(columns={seed: f"seed_{seed}" for seed in seeds})
    note = "Test top-1 in percent, one column a seed. A dash: the cell failed, is missing, or is not part of the suite."
    return Table(data, text, note, groups=2, numbers=[f"seed {seed}" for seed in seeds])


def coverage(results: Results) -> Table | None:
    """Which cells failed or are missing, and why; None when all are there."""
    table = results.coverage()
    absent = table[table.status != "complete"].reset_index(drop=True)
    if absent.empty:
        return None
    text = pd.DataFrame(
        {
            "Data set": absent.dataset,
            "Budget": absent.budget.map(compact),
            "Model": absent.model,
            "Seed": absent.seed.astype(str),
            "Status": absent.status,
            "Reason": absent.error.map(lambda reason: reason or DASH),
        }
    )
    return Table(absent, text, "Cells of the suite without a result.", groups=2, numbers=["Seed"])
