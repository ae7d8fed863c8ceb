"""Arms of a study of the method itself: how children are drawn and weights shared, and which operators there are."""

from typing import Any

import pandas as pd

from trionet_bench.analysis.ranking import correlations
from trionet_bench.analysis.results import GROUP, Results
from trionet_bench.analysis.statistics import grouped_t_intervals
from trionet_bench.analysis.summary import mark_leaders, summarise
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, MINUS, RHO, absent, compact, interval, percent, spread

# Which way a supernet is searched is a control, not an arm of the method.
_NOT_AN_ARM = {"search"}


def supernet_ablation(results: Results) -> Table | None:
    """Searched models that differ in an option of their supernet: one row each, the varied options as columns."""
    searched = results.complete[results.complete.sampler.notna()].drop_duplicates("model").set_index("model")
    searched = searched.loc[[name for name in results.models if name in searched.index]]
    varied = _varied(list(searched.options))
    if not varied:
        return None
    options = pd.DataFrame(
        [{name: option.get(name) for name in varied} for option in searched.options], index=searched.index
    )
    table = summarise(results).assign(mark=mark_leaders(results))
    table = table[table.model.isin(searched.index)].reset_index(drop=True)
    inherited = _inherited(results, table)
    text = pd.DataFrame({"Data set": table.dataset, "Budget": table.budget.map(compact), "Model": table.model})
    for name in varied:
        text[name.replace("_", " ")] = [_option(options.at[model, name]) for model in table.model]
    text["Inherited (%)"] = [percent(v) if ok else DASH for v, ok in zip(inherited, table.complete, strict=True)]
    text["Top-1 (%)"] = [spread(row.mean, row.sd) if row.complete else DASH for row in table.itertuples()]
    text["95 % interval"] = [interval(row.low, row.high) if row.complete else DASH for row in table.itertuples()]
    data = table.assign(inherited=inherited, **{name: [options.at[m, name] for m in table.model] for name in varied})
    note = (
        "Searched models and the options in which they differ; inherited: the found network with the supernet's "
        "weights, trained alone: top-1, mean ± standard deviation over seeds. Differences are tested only where they "
        "were declared."
    )
    numbers = ["Inherited (%)", "Top-1 (%)", "95 % interval"]
    return Table(data, text, note, _marked(text, table, numbers[1]), groups=2, numbers=numbers)


def _varied(options: list[dict[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for option in options for name in option if name not in _NOT_AN_ARM))
    return [name for name in names if len({repr(option.get(name)) for option in options}) > 1]


def _option(value: Any) -> str:
    return (
        {True: "yes", False: "no", None: DASH}.get(value, str(value))
        if not isinstance(value, list)
        else "+".join(value)
    )


def _inherited(results: Results, table: pd.DataFrame) -> list[float]:
    cells = results.complete
    metric = next((name for name in ("inherited_test_top1", "inherited_val_top1") if name in cells), None)
    if metric is None:
        return [float("nan")] * len(table)
    means = grouped_t_intervals(cells, GROUP, metric).set_index(GROUP)["mean"]
    return [float(means.get(key, float("nan"))) for key in table[GROUP].itertuples(index=False, name=None)]


def _marked(text: pd.DataFrame, table: pd.DataFrame, column: str) -> pd.DataFrame:
    marks = pd.DataFrame("", index=text.index, columns=text.columns)
    marks[column] = table.mark.to_numpy()
    return marks


def operator_ablation(results: Results) -> Table | None:
    """Each operator alone, each pair, all of them: searched models that differ in the operators of their space."""
    cells = results.complete.drop_duplicates("model")
    sets = {
        row.model: (row.operator,) if isinstance(row.operator, str) else tuple(row.operators.split("+"))
        for row in cells.itertuples()
        if isinstance(row.operator, str) or (row.sampler is not None and row.operators and row.algorithm != "random")
    }
    if len({operators for operators in sets.values() if len(operators) > 1}) < 2:
        return None
    names = list(dict.fromkeys(name for operators in sets.values() for name in operators))
    table = summarise(results).assign(mark=mark_leaders(results))
    table = table[table.model.isin(sets)]
    table = table.assign(operators=table.model.map(sets), size=table.model.map(sets).map(len))
    table = table.sort_values("size", kind="stable").sort_values(
        ["dataset", "budget"], kind="stable", ignore_index=True
    )
    text = pd.DataFrame({"Data set": table.dataset, "Budget": table.budget.map(compact)})
    for name in names:
        text[name] = ["yes" if name in operators else "" for operators in table.operators]
    text["Model"] = table.model
    text["MACs"] = [compact(row.macs) if row.complete else DASH for row in table.itertuples()]
    text["Top-1 (%)"] = [spread(row.mean, row.sd) if row.complete else DASH for row in table.itertuples()]
    note = "Operators that a model may use; single ones are stand-alone networks. Mean ± standard deviation over seeds."
    data = table.assign(operators=table.operators.map("+".join))
    return Table(data, text, note, _marked(text, table, "Top-1 (%)"), groups=2, numbers=["MACs", "Top-1 (%)"])


def supernet_correlation(results: Results) -> Table | None:
    """Kendall's tau-b and Spearman's rho of inherited against stand-alone accuracy."""
    table = correlations(results)
    if table.empty:
        return None
    text = pd.DataFrame(
        {
            "Data set": table.dataset,
            "Accuracy": [_spoken(metric) for metric in table.metric],
            "n": [f"{n}{'' if n >= 30 else ' (few)'}" for n in table.n],
            "Kendall τ": table.tau.map(_two),
            "95 % interval": [_bounds(row.tau_low, row.tau_high) for row in table.itertuples()],
            "τ at equal size": table.tau_within.map(_two),
            f"Spearman {RHO}": table.rho.map(_two),
            f"Interval of {RHO}": [_bounds(row.rho_low, row.rho_high) for row in table.itertuples()],
            "Regret (points)": table.regret.map(percent),
        }
    )
    note = (
        "Accuracy with the supernet's weights against test accuracy when trained alone, over architectures; 95 % "
        "intervals by bootstrap over architectures, none below ten. Fewer than thirty are marked: a correlation then "
        "says little. At equal size: mean of tau within thirds by MACs. Regret: best stand-alone accuracy minus that "
        "of the supernet's first choice."
    )
    return Table(table, text, note, groups=1, numbers=list(text.columns[2:]))


def _spoken(metric: str) -> str:
    part, *rest = metric.removeprefix("inherited_").removesuffix("_top1").split("_top1_")
    where = {"val": "validation", "test": "test"}.get(part, part)
    return f"{where}{', ' + ' '.join(rest).replace('_', ' ') if rest else ''}"


def _two(value: float) -> str:
    return DASH if absent(value) else f"{value:.2f}".replace("-", MINUS)


def _bounds(low: float, high: float) -> str:
    return DASH if absent(low) else f"[{_two(low)}, {_two(high)}]"
