"""Data sets by models: the table of a paper's first page."""

from itertools import product

import numpy as np
import pandas as pd

from trionet_bench.analysis.controls import asked_datasets
from trionet_bench.analysis.ranking import mean_ranks
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.summary import mark_leaders, summarise
from trionet_bench.reporting.quantity import Quantity, primary
from trionet_bench.reporting.tables.doubtful import note_of
from trionet_bench.reporting.tables.results import DAGGER, dagger
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, absent, compact

_NOTE = (
    "mean ± standard deviation over seeds. Bold: best, with all that cannot be told from it "
    "(the 95 % interval of the difference, by the error that all models share, contains 0); underlined: the next. "
    f"{DAGGER}. A dash: seeds failed, or none was run. "
)


def datasets_by_models(results: Results) -> Table | None:
    """A row for each data set and a column for each model, by budget, with mean and mean rank; turned where models are
    more than data sets, so that it stays narrow. None for one data set.
    """
    table = summarise(results).assign(mark=mark_leaders(results))
    if table.dataset.nunique() < 2:
        return None
    table = table.assign(known=table["mean"].where(table.shown), dagger=[dagger(row) for row in table.itertuples()])
    models = results.competitors
    turned = len(models) > len(results.datasets)
    quantity, counted = primary(results), asked_datasets(results)
    texts, marks, data = [], [], []
    for budget, group in table.groupby("budget", sort=True):
        parts = {
            name: group.pivot(index="dataset", columns="model", values=name).reindex(columns=models)
            for name in ("known", "sd", "mark", "dagger")
        }
        order = [name for name in results.datasets if name in parts["known"].index]
        means = parts["known"].loc[order]
        text, mark = means.astype(object), parts["mark"].loc[order].fillna("")
        for dataset, model in product(order, models):
            mean = means.at[dataset, model]
            known = quantity.spread(mean, parts["sd"].at[dataset, model])
            text.at[dataset, model] = known + ("" if absent(mean) else parts["dagger"].at[dataset, model])
        asked = group[group.dataset.isin(counted)]
        below = _below(means.loc[[name for name in order if name in counted]], quantity, bool(asked.complete.all()))
        for name, row in below.items():
            text.loc[name] = [(quantity.number if name == "mean" else _rank)(value) for value in row]
            mark.loc[name] = ""
            means.loc[name] = row
        data.append(means.rename_axis("dataset").reset_index().assign(budget=budget))
        texts.append(_headed(text.T if turned else text, "Model" if turned else "Data set", compact(budget)))
        marks.append(_headed(mark.T if turned else mark, "", ""))
    printed = pd.concat(texts, ignore_index=True).astype(object).fillna(DASH)
    reason = mean_ranks(results)
    note = f"Test {quantity.label}{quantity.in_unit}, {_NOTE}{_counted(table, counted)}. {note_of(results)}".rstrip()
    if isinstance(reason, str):
        note += f" {reason}"
    return Table(
        pd.concat(data)[["budget", "dataset", *models]],
        printed,
        note,
        pd.concat(marks, ignore_index=True).reindex(columns=printed.columns).astype(object).fillna(""),
        groups=1,
        numbers=list(printed.columns[2:]),
    )


def _headed(values: pd.DataFrame, rows: str, budget: str) -> pd.DataFrame:
    """With the names of the rows, and the budget, as leading columns."""
    named = values.rename_axis(index=rows, columns=None).reset_index()
    named.insert(0, "Budget", budget)
    return named


def _below(means: pd.DataFrame, quantity: Quantity, ranked: bool) -> dict[str, pd.Series]:
    """Mean of the models that have every data set, and mean rank where every cell is there."""
    ranks = means.rank(axis=1, ascending=quantity.direction < 0).mean()
    return {"mean": means.mean(skipna=False), "mean rank": ranks if ranked else ranks * np.nan}


def _rank(value: float) -> str:
    return DASH if absent(value) else f"{value:.2f}"


def _counted(table: pd.DataFrame, counted: list[str]) -> str:
    """Which data sets mean and rank count, and where they are missing."""
    controls = " but the controls" if table.dataset.nunique() > len(counted) else ""
    needs = "" if table.complete.all() else "; a mean needs every data set, ranks need every cell"
    return f"Mean and rank, 1 is best, count every data set{controls} alike{needs}"
