"""A study in one small table: a row for each model at the largest budget, a column for each data set."""

import pandas as pd

from trionet_bench.analysis.decision import costs_of
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.summary import mark_leaders, summarise
from trionet_bench.reporting.quantity import primary
from trionet_bench.reporting.tables.doubtful import note_of
from trionet_bench.reporting.tables.results import DAGGER, dagger
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, absent, compact


def overview(results: Results) -> Table | None:
    """The primary metric of each model on each data set, beside what one image costs; None without a result."""
    table = summarise(results).assign(mark=mark_leaders(results))
    table = table[(table.budget == results.budgets[-1]) & table.model.isin(results.competitors)]
    if table.empty or table["mean"].isna().all():
        return None
    quantity = primary(results)
    data = table.pivot(index="model", columns="dataset", values="mean").reindex(results.competitors)
    rows = {(row.model, row.dataset): row for row in table.itertuples() if row.shown}
    text, marks = pd.DataFrame({"Model": data.index}), pd.DataFrame({"Model": [""] * len(data)})
    for dataset in results.datasets:
        of_set = [rows.get((model, dataset)) for model in data.index]
        text[dataset] = [DASH if row is None else f"{quantity.spread(row.mean, row.sd)}{dagger(row)}" for row in of_set]
        marks[dataset] = ["" if row is None else row.mark for row in of_set]
    known = costs_of(results, results.budgets[-1], results.datasets)[["macs", "latency"]].reindex(data.index)
    text["MACs"] = [compact(macs) for macs in known.macs]
    text["One image (ms)"] = [DASH if absent(seconds) else f"{1e3 * seconds:.2g}" for seconds in known.latency]
    marks[["MACs", "One image (ms)"]] = ""
    note = (
        f"Test {quantity.label}{quantity.in_unit} ± standard deviation over seeds, at {compact(results.budgets[-1])} "
        f"MACs. Bold: best of its data set, with all that cannot be told from it; underlined: the next. {DAGGER}. "
        f"{note_of(results)}".rstrip()
    )
    return Table(
        data.join(known).reset_index(), text, note, marks=marks, numbers=[name for name in text if name != "Model"]
    )
