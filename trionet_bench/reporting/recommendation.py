"""What to take, in words, on all data sets together and on each."""

from collections.abc import Mapping

from trionet_bench.analysis.decision import Decision, decide, decide_by_dataset
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.quantity import Quantity, primary
from trionet_bench.reporting.text import absent, compact, first_of, listed

MOST = 4  # models that are put in words
_MOST_DATASETS = 8


def recommendation(results: Results) -> str:
    """What to take over all data sets, and what is known of the others."""
    known, quantity = decide(results), primary(results)
    if known is None:
        return "No two models have results of the same seeds yet, so nothing can be compared."
    sets = known.datasets
    where = f"At {compact(known.budget)} MACs "
    where += f"on {sets[0]}" if len(sets) == 1 else f"over {len(sets)} data sets together"
    costs = f"{compact(known.macs)} MACs"
    if not absent(known.latency):
        costs = f"{1e3 * known.latency:.2g} ms an image here, {costs}"
    value = quantity.with_unit(known.value)
    bound = quantity.size(known.bound)
    dagger = " † Not all that the suite asks for is there yet." if known.partly else ""
    if known.kind == "one seed":
        return (
            f"{where}, one seed shows no difference between models: the {quantity.best} {quantity.noun} is that of "
            f"{known.best}, {quantity.with_unit(known.best_value)} ({costs}). † Nothing is known of other seeds."
        )
    if known.kind == "winner":
        others = _others(known.behind, len(known.behind))
        least = "" if quantity.number(known.bound) == quantity.number(0) else f", by {bound} or more"
        lead = f"{value}, shown to be better than {others}{least}"
        return f"{where}, take {known.taken}: {lead}; {costs}.{dagger}"
    if known.kind == "alone":
        return f"{where}, {known.taken} is the only model with results: {value}, {costs}.{dagger}"
    tie = 1 + len(known.tied)
    open_ = f"Open: {_others(known.tied, len(known.tied + known.behind))} may be as good or better, by at most {bound}."
    why = _why(known, quantity)
    if not known.behind:
        head = f"{where}, no model is shown to be worse than the best. Take {known.taken} ({why})"
        return f"{head}: {costs}, {value}. {open_}{dagger}"
    worse = f"Shown to be worse than {known.best}: {_others(known.behind, len(known.tied + known.behind))}."
    head = f"{where}, {tie} of {tie + len(known.behind)} models may be the best; of these take {known.taken}"
    return f"{head} ({why}): {costs}, {value}. {open_} {worse}{dagger}"


def recommendations_by_dataset(results: Results) -> str:
    """What to take on each of several data sets, what is shown to be worse there, and by what rule; empty for one."""
    known, quantity = decide_by_dataset(results), primary(results)
    if len(known) < 2:
        return ""
    parts = [f"{name}: {_of_dataset(of_set, quantity)}" for name, of_set in known.items()]
    more = f"; {len(parts) - _MOST_DATASETS} more are in the tables" if len(parts) > _MOST_DATASETS else ""
    return f"Each data set by itself: {'; '.join(parts[:_MOST_DATASETS])}{more}.{_rule(known, quantity)}"


def _of_dataset(known: Decision, quantity: Quantity) -> str:
    others = len(known.tied) + len(known.behind)
    head = f"{known.taken}, {quantity.with_unit(known.value)}"
    if known.kind == "winner":
        return f"{head} (shown to be better than {_others(known.behind, others)})"
    worse = f"; shown to be worse: {_others(known.behind, others)}" if known.behind else ""
    return f"{head} (at most {quantity.size(known.bound)} behind another{worse})"


def _rule(known: Mapping[str, Decision], quantity: Quantity) -> str:
    """How one of a tie was taken on these data sets."""
    ties = {name: of_set for name, of_set in known.items() if of_set.kind == "tie"}
    if not ties:
        return ""
    word = "cheapest" if any(absent(of_set.latency) for of_set in ties.values()) else "fastest"
    margin = next(iter(ties.values())).margin
    if absent(margin):
        return f" Taken is the {word} of those that may be the best."
    without = [name for name, of_set in ties.items() if not of_set.near]
    if len(without) == len(ties):
        return f" Taken is {_best_mean(margin, quantity)}."
    rest = f"; where there is none ({first_of(without, MOST)}), the {quantity.best} mean" if without else ""
    return f" Taken is the {word} that is {_within(margin, quantity)}{rest}."


def _why(known: Decision, quantity: Quantity) -> str:
    """What the model that is taken has before the others of a tie."""
    if absent(known.margin):
        return known.reason
    if not known.near:
        return _best_mean(known.margin, quantity)
    within = _within(known.margin, quantity)
    if len(known.near) == 1:
        return f"the only one {within}"
    return f"{known.reason} of {len(known.near)} {within}"


def _within(margin: float, quantity: Quantity) -> str:
    return f"shown to be within {quantity.size(margin)} of every other"


def _best_mean(margin: float, quantity: Quantity) -> str:
    return f"the {quantity.best} mean, as none is {_within(margin, quantity)}"


def _others(models: tuple[str, ...], rest: int) -> str:
    """Models by name; where they are many and all of the ``rest`` that are not taken, their number."""
    return f"each of the other {rest} models" if MOST < len(models) == rest else listed(models)
