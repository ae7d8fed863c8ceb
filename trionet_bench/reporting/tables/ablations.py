"""Arms of a study of the method itself: how children are drawn and weights shared, and which operators there are."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from trionet_bench.analysis.ranking import correlations, supernet_correlations
from trionet_bench.analysis.results import GROUP, Results
from trionet_bench.analysis.statistics import grouped_t_intervals
from trionet_bench.analysis.summary import in_report_order, mark_leaders, summarise
from trionet_bench.reporting.style import operators_in_order
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, MINUS, RHO, absent, compact, interval, percent, spread

# Which way a supernet is searched is a control, not an arm of the method.
_NOT_AN_ARM = {"search"}


def supernet_ablation(results: Results) -> Table | None:
    """Searched models that differ in an option of their supernet: one row each, the varied options as columns."""
    searched = _searched(results)
    if searched.empty:
        return None
    searched = searched[searched.operators == searched.operators.iloc[0]]
    varied = _varied(list(searched.options))
    if not varied:
        return None
    table = _groups(results, searched.index)
    inherited = _inherited(results, table)
    values = {name: [searched.options[model].get(name) for model in table.model] for name in varied}
    text = pd.DataFrame({"Data set": table.dataset, "Budget": table.budget.map(compact), "Model": table.model})
    for name in varied:
        text[name.replace("_", " ").capitalize()] = [_option(value) for value in values[name]]
    text["Inherited (%)"] = [percent(v) if ok else DASH for v, ok in zip(inherited, table.complete, strict=True)]
    text["Top-1 (%)"] = [spread(row.mean, row.sd) if row.complete else DASH for row in table.itertuples()]
    text["95 % interval"] = [interval(row.low, row.high) if row.complete else DASH for row in table.itertuples()]
    note = (
        "Searched models and the options in which they differ. Inherited: test accuracy of the found network with the "
        "supernet's weights; top-1: when trained alone, mean ± standard deviation over seeds. Differences are tested "
        "only where they were declared."
    )
    numbers = ["Inherited (%)", "Top-1 (%)", "95 % interval"]
    data = table.assign(inherited=inherited, **values)
    return Table(data, text, note, _marked(text, table, numbers[1]), groups=2, numbers=numbers)


def _searched(results: Results) -> pd.DataFrame:
    """One record of each searched model in the order of the report; random search is a control, not an arm."""
    found = results.complete[results.complete.sampler.notna()].drop_duplicates("model").set_index("model")
    found = found.loc[[name for name in results.models if name in found.index]]
    evolved = found[found.algorithm != "random"]
    return found if evolved.empty else evolved


def _groups(results: Results, models: Iterable[str]) -> pd.DataFrame:
    """The summary of these models with their marks."""
    table = summarise(results).assign(mark=mark_leaders(results))
    return table[table.model.isin(list(models))].reset_index(drop=True)


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
    """Each operator alone, each pair, all: searched models that differ in nothing but the operators of their space."""
    searched = _searched(results)
    if searched.empty:
        return None
    like_the_first = [_arm(option) == _arm(searched.options.iloc[0]) for option in searched.options]
    searched = searched[like_the_first].drop_duplicates("operators")
    if len(searched) < 2:
        return None
    alone = results.complete.dropna(subset=["operator"]).drop_duplicates("model").set_index("model")
    sets = {**searched.operators.str.split("+"), **alone.operator.map(lambda name: [name])}
    table = _groups(results, sets)
    table = table.assign(operators=table.model.map(sets))
    table = in_report_order(table.iloc[table.operators.map(len).argsort(kind="stable")], results, by_model=False)
    text = pd.DataFrame({"Data set": table.dataset, "Budget": table.budget.map(compact)})
    for name in operators_in_order(name for operators in sets.values() for name in operators):
        text[name] = ["yes" if name in operators else "" for operators in table.operators]
    text["Model"] = table.model
    text["MACs"] = [compact(row.macs) if row.complete else DASH for row in table.itertuples()]
    text["Top-1 (%)"] = [spread(row.mean, row.sd) if row.complete else DASH for row in table.itertuples()]
    note = "Operators that a model may use; single ones are stand-alone networks. Mean ± standard deviation over seeds."
    data = table.assign(operators=table.operators.map("+".join))
    return Table(data, text, note, _marked(text, table, "Top-1 (%)"), groups=2, numbers=["MACs", "Top-1 (%)"])


def _arm(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in _NOT_AN_ARM}


def supernet_correlation(results: Results) -> Table | None:
    """Kendall's tau-b and Spearman's rho of inherited against stand-alone accuracy over the found networks."""
    table = correlations(results)
    if table.empty:
        return None
    text = pd.DataFrame({"Data set": table.dataset, **_agreement(table)})
    note = (
        f"Accuracy with the supernet's weights against test accuracy when trained alone, over architectures; {_RANKS}"
    )
    return Table(table, text, note, groups=1, numbers=list(text.columns[2:]))


def spread_correlation(results: Results) -> Table | None:
    """The same over architectures that were spread over MACs and operators, for each supernet."""
    table = supernet_correlations(results)
    if table.empty:
        return None
    places = {"Data set": table.dataset, "Budget": table.budget.map(compact), "Supernet": table.model}
    text = pd.DataFrame({**places, **_agreement(table)})
    note = (
        "Accuracy with the supernet's weights against accuracy when trained alone, both on the validation images, over "
        "architectures spread over MACs and operators up to the budget; seeds of one architecture averaged. Not "
        f"recalibrated: batch-norm statistics that all children have in common. {_RANKS}"
    )
    return Table(table, text, note, groups=3, numbers=list(text.columns[4:]))


_RANKS = (
    "95 % intervals by bootstrap over architectures, none below ten. Fewer than thirty are marked: a correlation then "
    "says little. At equal size: mean of tau within thirds by MACs. Regret: best stand-alone accuracy minus that "
    "of the supernet's first choice."
)


def _agreement(table: pd.DataFrame) -> dict[str, Any]:
    """The columns of a correlation as text."""
    return {
        "Accuracy": [_spoken(metric) for metric in table.metric],
        "n": [f"{n}{'' if n >= 30 else ' (few)'}" for n in table.n],
        "Kendall τ": table.tau.map(_two),
        "95 % interval": [_bounds(row.tau_low, row.tau_high) for row in table.itertuples()],
        "τ at equal size": table.tau_within.map(_two),
        f"Spearman {RHO}": table.rho.map(_two),
        f"Interval of {RHO}": [_bounds(row.rho_low, row.rho_high) for row in table.itertuples()],
        "Regret (points)": table.regret.map(percent),
    }


def _spoken(metric: str) -> str:
    part, *rest = metric.removeprefix("inherited_").removesuffix("_top1").split("_top1_")
    where = {"val": "validation", "test": "test"}.get(part, part)
    return f"{where}{', ' + ' '.join(rest).replace('_', ' ') if rest else ''}"


def _two(value: float) -> str:
    return DASH if absent(value) else f"{value:.2f}".replace("-", MINUS)


def _bounds(low: float, high: float) -> str:
    return DASH if absent(low) else f"[{_two(low)}, {_two(high)}]"
