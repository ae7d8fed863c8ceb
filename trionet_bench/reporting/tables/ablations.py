"""Arms of a study of the method itself: how children are drawn and weights shared, and which operators there are."""

from collections.abc import Iterable

import pandas as pd

from trionet_bench.analysis.ranking import correlations, supernet_correlations
from trionet_bench.analysis.results import GROUP, Results
from trionet_bench.analysis.statistics import grouped_t_intervals
from trionet_bench.analysis.summary import in_report_order, mark_leaders, summarise
from trionet_bench.jsontypes import JsonObject
from trionet_bench.reporting.quantity import Quantity, capitalised, primary
from trionet_bench.reporting.style import operators_in_order
from trionet_bench.reporting.tables.doubtful import mark_of, note_of, without_needless_column
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, RHO, compact, listed, option_value, tau_interval, tau_text

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
    quantity = primary(results)
    table = _groups(results, searched.index)
    inherited = _inherited(results, table)
    values = {name: [searched.options[model].get(name) for model in table.model] for name in varied}
    text = pd.DataFrame({"Data set": table.dataset, "Budget": table.budget.map(compact), "Model": table.model})
    for name in varied:
        text[name.replace("_", " ").capitalize()] = [option_value(value) for value in values[name]]
    numbers = [f"Inherited{quantity.bracketed}", quantity.heading, "95 % interval"]
    text[numbers[0]] = [
        quantity.number(value) if complete else DASH for value, complete in zip(inherited, table.complete, strict=True)
    ]
    text[numbers[1]] = [
        quantity.spread(row.mean, row.sd) + mark_of(row) if row.complete else DASH for row in table.itertuples()
    ]
    text[numbers[2]] = [quantity.interval(row.low, row.high) if row.complete else DASH for row in table.itertuples()]
    note = (
        f"Searched models and the options in which they differ. Inherited: test {quantity.noun} of the found network "
        f"with the supernet's weights; {quantity.label}: when trained alone, mean ± standard deviation over seeds. "
        f"Differences are tested only where they were declared. {note_of(results)}".rstrip()
    )
    data = without_needless_column(table).assign(inherited=inherited, **values)
    return Table(data, text, note, _marked(text, table, numbers[1]), groups=2, numbers=numbers)


def _searched(results: Results) -> pd.DataFrame:
    """One record of each searched model in the order of the report; random search is a control, not an arm."""
    searched = results.complete[results.complete.sampler.notna()].drop_duplicates("model").set_index("model")
    searched = searched.loc[[name for name in results.models if name in searched.index]]
    evolved = searched[searched.algorithm != "random"]
    return searched if evolved.empty else evolved


def _groups(results: Results, models: Iterable[str]) -> pd.DataFrame:
    """The summary of these models with their marks."""
    table = summarise(results).assign(mark=mark_leaders(results))
    return table[table.model.isin(list(models))].reset_index(drop=True)


def _varied(options: list[JsonObject]) -> list[str]:
    names = list(dict.fromkeys(name for option in options for name in option if name not in _NOT_AN_ARM))
    return [name for name in names if len({repr(option.get(name)) for option in options}) > 1]


def _inherited(results: Results, table: pd.DataFrame) -> list[float]:
    cells = results.complete
    known = [results.measured(part, "inherited") for part in ("test", "val")]
    metric = next((name for name in known if name in cells), None)
    if metric is None:
        return [float("nan")] * len(table)
    means = grouped_t_intervals(cells, GROUP, metric).set_index(GROUP)["mean"]
    return [float(means.get(key, float("nan"))) for key in table[GROUP].itertuples(index=False, name=None)]


def _marked(text: pd.DataFrame, table: pd.DataFrame, column: str) -> pd.DataFrame:
    marks = pd.DataFrame("", index=text.index, columns=text.columns)
    marks[column] = table.mark.to_numpy()
    return marks


def operator_ablation(results: Results) -> Table | None:
    """Single operators, pairs, all: searched models that differ in nothing but the operators of their space."""
    searched = _searched(results)
    if searched.empty:
        return None
    like_the_first = [_arm(option) == _arm(searched.options.iloc[0]) for option in searched.options]
    searched = searched[like_the_first].drop_duplicates("operators")
    if len(searched) < 2:
        return None
    single = results.complete.dropna(subset=["operator"]).drop_duplicates("model").set_index("model")
    sets = {**searched.operators.str.split("+"), **single.operator.map(lambda name: [name])}
    table = _groups(results, sets)
    table = table.assign(operators=table.model.map(sets))
    table = in_report_order(table.iloc[table.operators.map(len).argsort(kind="stable")], results, by_model=False)
    text = pd.DataFrame({"Data set": table.dataset, "Budget": table.budget.map(compact)})
    for name in operators_in_order(name for operators in sets.values() for name in operators):
        text[name] = ["yes" if name in operators else "" for operators in table.operators]
    text["Model"] = table.model
    text["MACs"] = [compact(row.macs) if row.complete else DASH for row in table.itertuples()]
    quantity = primary(results)
    heading = quantity.heading
    text[heading] = [
        quantity.spread(row.mean, row.sd) + mark_of(row) if row.complete else DASH for row in table.itertuples()
    ]
    note = (
        "Operators that a model may use; single ones are stand-alone networks. Mean ± standard deviation over seeds. "
        f"{note_of(results)}"
    ).rstrip()
    data = without_needless_column(table).assign(operators=table.operators.map("+".join))
    return Table(data, text, note, _marked(text, table, heading), groups=2, numbers=["MACs", heading])


def _arm(options: JsonObject) -> JsonObject:
    return {name: value for name, value in options.items() if name not in _NOT_AN_ARM}


def supernet_correlation(results: Results) -> Table | None:
    """Kendall's tau-b and Spearman's rho of inherited against stand-alone scores over the searched networks."""
    table = correlations(results)
    if table.empty:
        return None
    quantity = primary(results)
    text = pd.DataFrame({"Data set": table.dataset, **_agreement(table, quantity)})
    noun = quantity.noun
    note = (
        f"{capitalised(noun)} with the supernet's weights against test {noun} when trained alone, over architectures; "
        f"{_ranks(noun)}"
    )
    return Table(table, text, note, groups=1, numbers=list(text.columns[2:]))


def spread_correlation(results: Results) -> Table | None:
    """The same over architectures that were spread over MACs and operators, for each supernet."""
    table = supernet_correlations(results)
    if table.empty:
        return None
    places = {"Data set": table.dataset, "Budget": table.budget.map(compact), "Supernet": table.model}
    quantity = primary(results)
    text = pd.DataFrame({**places, **_agreement(table, quantity)})
    noun = quantity.noun
    note = (
        f"{capitalised(noun)} with the supernet's weights against {noun} when trained alone, both on the validation "
        "images, over architectures spread over MACs and operators up to the budget; seeds of one architecture "
        "averaged. Not recalibrated: batch-norm statistics that all children have in common. "
        f"{_ranks(noun)}"
    )
    by_fitness = sorted(set(results.ranked[results.ranked.scored_by == "fitness"].model))
    if by_fitness:
        note += (
            f" {listed(by_fitness)}: networks that spend about the budget, and in place of {noun} with the supernet's "
            "weights what a search in it maximises."
        )
    return Table(table, text, note, groups=3, numbers=list(text.columns[4:]))


def _ranks(noun: str) -> str:
    return (
        "95 % intervals by bootstrap over architectures, none below ten. Fewer than thirty are marked: a correlation "
        f"then says little. At equal size: mean of tau within thirds by MACs. Regret: best stand-alone {noun} minus "
        "that of the supernet's first choice."
    )


def _agreement(table: pd.DataFrame, quantity: Quantity) -> JsonObject:
    """The columns of a correlation as text."""
    regret = quantity.difference_bracketed
    return {
        capitalised(quantity.noun): [_spoken(metric, quantity.metric.name) for metric in table.metric],
        "n": [f"{n}{'' if n >= 30 else ' (few)'}" for n in table.n],
        "Kendall τ": table.tau.map(tau_text),
        "95 % interval": [tau_interval(row.tau_low, row.tau_high) for row in table.itertuples()],
        "τ at equal size": table.tau_within.map(tau_text),
        f"Spearman {RHO}": table.rho.map(tau_text),
        f"Interval of {RHO}": [tau_interval(row.rho_low, row.rho_high) for row in table.itertuples()],
        f"Regret{regret}": table.regret.map(quantity.number),
    }


def _spoken(metric: str, primary: str) -> str:
    part, *rest = metric.removeprefix("inherited_").removesuffix(f"_{primary}").split(f"_{primary}_")
    where = {"val": "validation", "test": "test"}.get(part, part)
    return f"{where}{', ' + ' '.join(rest).replace('_', ' ') if rest else ''}"
