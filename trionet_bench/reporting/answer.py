"""The answer of a report in a few sentences, from the numbers and nothing else."""

from collections.abc import Callable, Iterable

import pandas as pd

from trionet_bench.analysis.controls import asked_datasets, controls_of, other_datasets
from trionet_bench.analysis.model_spread import spread_of_models
from trionet_bench.analysis.placement import counted_from_1, depth_word
from trionet_bench.analysis.placement_claims import LEAST, placement_claims
from trionet_bench.analysis.power import resolution
from trionet_bench.analysis.ranking import LEAST as LEAST_NETWORKS
from trionet_bench.analysis.ranking import supernet_correlations
from trionet_bench.analysis.ranking_power import INHERITED, score_table, worth_of_placement
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.figures.placement import leading_searches
from trionet_bench.reporting.quantity import capitalised, primary
from trionet_bench.reporting.recommendation import recommendation, recommendations_by_dataset
from trionet_bench.reporting.text import DASH, DOUBTFUL, absent, compact, first_of, listed, tau_interval, tau_text
from trionet_bench.units import counted, short_duration

MOST = 4  # supernets and cells that are put in words


def answer(results: Results) -> list[str]:
    """What ``opening`` says; where operators belong; what placement is worth; how supernets rank."""
    parts = (_placement,) if results.competitors else ()
    return opening(results) + _said(results, (*parts, _worth, _ranking))


def opening(results: Results) -> list[str]:
    """What to take, on the whole and on each data set; what this study can show; how it was run."""
    parts = (recommendation, recommendations_by_dataset, _resolution, _conduct)
    return _said(results, parts) if results.competitors else []


def _said(results: Results, parts: Iterable[Callable[[Results], str]]) -> list[str]:
    return [sentence for part in parts if (sentence := part(results))]


def coverage_line(results: Results) -> str:
    """N of M cells, k failed; what is missing, left out or does not verify."""
    status = results.coverage().status.value_counts()
    total, done, failed = int(status.sum()), int(status.get("complete", 0)), int(status.get("failed", 0))
    line = f"{done} of {counted(total, 'cell')}, {failed} failed"
    missing, doubtful = total - done - failed, len(results.doubtful)
    verb = "does" if doubtful == 1 else "do"
    doubts = {
        f"{missing} missing": missing,
        f"{counted(results.damaged, 'damaged record')} left out": results.damaged,
        f"{counted(doubtful, 'record')} {verb} not verify ({DOUBTFUL}): {_cells(results.doubtful)}": doubtful,
    }
    return ", ".join([line, *(text for text, some in doubts.items() if some)])


def _cells(cells: pd.DataFrame) -> str:
    """The first of some cells by their folders."""
    return first_of([f"{row.dataset}/{row.model}/{row.folder.name}" for row in cells.itertuples()], MOST)


def _resolution(results: Results) -> str:
    """What seeds and images of this study can show, what was seen, and what would settle a point."""
    known, quantity = resolution(results), primary(results)
    if known is None or absent(known.shows):
        return ""
    size = quantity.size
    text = (
        f"{capitalised(counted(known.seeds, 'seed'))} can detect a difference of {size(known.shows)} (in four of five "
        f"such studies, corrected for {counted(known.tests, 'comparison')}); the largest observed is "
        f"{size(known.observed)}"
    )
    if known.declared:
        text += f", and {known.decided} of {counted(known.declared, 'declared comparison')} "
        text += f"{'is' if known.decided == 1 else 'are'} decided"
        ends = [f"{count} “{verdict}”" for verdict, count in known.verdicts.items()]
        text += f" ({listed(ends)})" if ends else ""
    if absent(known.target) or known.shows <= known.target:
        return f"{text}."
    goal = "one point" if quantity.is_fraction else size(known.target)
    if known.needed is None:
        least = size(known.by_images)
        more = f"More seeds do not settle {goal}: with these test images no number of them detects less than"
        return f"{text}. {more} {least}."
    hours = short_duration(3600 * known.hours)
    return (
        f"{text}. Settling {goal} takes {known.needed} seeds, about {hours} more on one worker like these: "
        f"`{known.command}`."
    )


def _conduct(results: Results) -> str:
    """How it was run: how thoroughly, on how many pixels, epochs and images, and on which was tested."""
    cells = results.complete
    if cells.empty:
        return ""
    kinds = dict.fromkeys(cells.fidelity)
    kind = {"quick": "Quick run, a first look", "full": "Full run", "smoke": "Smoke run"}[next(iter(kinds))]
    if len(kinds) > 1:
        kind = "Quick and full recipes"
    epochs = cells.recipe.map(lambda recipe: recipe.get("epochs")).dropna()
    facts = [
        f"{_span(cells.resolution)} pixels",
        "1 epoch" if set(epochs) == {1} else f"{_span(epochs)} epochs",
        f"{_span(cells.train_images)} training images",
    ]
    drawn = cells.warnings.map(lambda lines: any("held out as test" in line for line in lines)).any()
    which = "held out of the given images" if drawn else "the test part of the data"
    tested = f"tested on {_span(cells.evaluated)} ({which})"
    seeds = counted(int(cells.seed.nunique()), "seed")
    return f"{kind}: {', '.join(fact for fact in facts if not fact.startswith(DASH))}; {tested}; {seeds}."


def _span(values: "pd.Series[float]") -> str:
    """One number, or the least and the greatest."""
    known = sorted(set(values.dropna().astype(int)))
    if not known:
        return DASH
    return f"{known[0]:,}" if len(known) == 1 else f"{known[0]:,} to {known[-1]:,}"


def _placement(results: Results) -> str:
    models = leading_searches(results)
    return (_control(results, models[0]) or _claim(results, models[0])) if models else ""


def _control(results: Results, model: str) -> str:
    """Why nothing is claimed of where operators belong; empty where something may be."""
    controls = controls_of(results, model)
    if controls.standing == "missed":
        missed = controls.outcomes[controls.outcomes.standing == "missed"]
        parts = [
            f"a placement where there is none ({row.dataset})"
            if row.operator == "none"
            else f"{row.operator} in the {row.stage} stage in {row.found} of {row.networks} networks on {row.dataset}"
            for row in missed.itertuples()
        ]
        return (
            f"Nothing is claimed of where operators belong: where that is known, {model} found {listed(parts)}. "
            "Table “Does the search find what is known?” has all controls."
        )
    if controls.standing == "unchecked":
        return (
            "Nothing is claimed of where operators belong: this study has no data set, or too few networks on one, "
            "of which the right placement is known (suite controls has such sets)."
        )
    return ""


def _claim(results: Results, model: str) -> str:
    """Where the searches of a model, whose controls hold, put an operator more often than blind draws would."""
    others = other_datasets(results)
    held = f"The searches of {model} find the placements that are known of the controls"
    if not others:
        return f"{held}."
    table = placement_claims(results, ["model"], others)
    table = table[table.model == model]
    if table.empty:
        return ""
    networks, word = counted(int(table.networks.max()), "network"), depth_word(results, [model])
    head = f"{held}; in the {networks} that it found elsewhere"
    clear = table[table.claimed.astype(bool)]
    if clear.empty:
        few = f" (fewer than {LEAST} claim nothing)" if table.networks.max() < LEAST else ""
        return f"{head}, no operator stands in any {word} more often than blind draws would put it there{few}."
    first = int(table.stage.min())
    parts = []
    for operator, group in clear.groupby("operator", sort=True):
        where = listed([str(counted_from_1(int(stage), first)) for stage in sorted(group.stage)])
        p = max(group.p_holm)
        parts.append(
            f"{operator} in {word}{'s' if len(group) > 1 else ''} {where} (p {'< 0.001' if p < 0.001 else f'{p:.2g}'})"
        )
    return f"{head}, more often than blind draws would put it there stands {listed(parts)}."


def _worth(results: Results) -> str:
    """What placement is worth: how far networks of one budget differ beyond noise, where that was measured."""
    return _worth_of_models(results) if results.competitors else _worth_of_networks(results)


def _worth_of_models(results: Results) -> str:
    known, quantity = spread_of_models(results), primary(results)
    if known is None:
        return ""
    several = len(asked_datasets(results)) > 1
    models = f"{'Within a data set the' if several else 'The'} {known.models} models of {compact(known.budget)} MACs"
    noise = "the noise of seeds and test images"
    if known.high == 0:
        return f"{models} differ by less than {noise}."
    differ = f"{quantity.size(known.sd)} ([{quantity.number(known.low)}, {quantity.number(known.high)}])"
    said = f"{models} differ by a standard deviation of {differ} beyond {noise}"
    return f"{said}." if known.low > 0 else f"{said}, which may be nothing."


def _worth_of_networks(results: Results) -> str:
    """What there is to rank, where networks of one budget were trained several times."""
    quantity = primary(results)
    parts = []
    for row in worth_of_placement(results).itertuples():
        where = f"{counted(row.networks, 'network')} of {compact(row.budget)} MACs on {row.dataset}"
        differ = f"{quantity.size(row.worth)} ([{quantity.number(row.low)}, {quantity.number(row.high)}])"
        parts.append(
            f"{where} differ by a standard deviation of {differ} beyond the noise of training"
            if row.low > 0
            else f"{where} differ by no more than the noise of training shows ({differ}): any of them does, and "
            "nothing is claimed of how a supernet ranks them"
        )
    return f"{'; '.join(parts)}." if parts else ""


def _ranking(results: Results) -> str:
    """How supernets rank, for each data set and budget where there is something to rank."""
    table = supernet_correlations(results)
    if table.empty:
        return ""
    table = table[table.metric == results.measured("val", "inherited")]
    worth, place = worth_of_placement(results), ["dataset", "budget"]
    nothing = worth[worth.low == 0].set_index(place).index
    table = table[~table.set_index(place).index.isin(nothing)]
    if table.empty:
        return ""
    where = {
        key: first_of([_tau_of(row) for row in _by_tau(rows).itertuples()], MOST)
        for key, rows in table.groupby(place, sort=False)
    }
    budgets = len({budget for _, budget in where}) > 1
    parts = [
        f"{taus} on {dataset}{f' at {compact(budget)} MACs' if budgets else ''}" if len(where) > 1 else taus
        for (dataset, budget), taus in where.items()
    ]
    noun = primary(results).noun
    return (
        f"Over {counted(int(table.n.min()), 'architecture')}, Kendall's tau-b between {noun} with the supernet's "
        f"weights, recalibrated, and {noun} when trained alone is {'; '.join(parts)}; "
        f"{_ahead_of_macs(results, nothing)}."
    )


def _by_tau(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("tau", ascending=False, kind="stable")


def _tau_of(row: "pd.Series[float]") -> str:
    interval = "" if absent(row.tau_low) else f" {tau_interval(row.tau_low, row.tau_high)}"
    return f"{tau_text(row.tau)}{interval} with {row.model}"


def _ahead_of_macs(results: Results, nothing: pd.Index) -> str:
    """How many supernets rank better than counting MACs, by the interval of the paired difference; but for those of a
    data set and budget with ``nothing`` to rank.
    """
    scores = score_table(results)
    scores = scores[(scores.score == INHERITED) & ~scores.set_index(["dataset", "budget"]).index.isin(nothing)]
    told = scores.dropna(subset=["ahead_low"])
    if told.empty:
        return f"fewer than {LEAST_NETWORKS} networks do not tell whether a supernet ranks better than MACs do"
    ahead = int((told.ahead_low > 0).sum())
    return f"{ahead} of {counted(len(told), 'supernet')} {'ranks' if ahead == 1 else 'rank'} better than MACs do"


def finished(cells: pd.DataFrame) -> str:
    """The day on which the newest record was finished: reports of the same records carry the same date."""
    return str(cells.finished.max())[:10]


def provenance(cells: pd.DataFrame) -> pd.DataFrame:
    """Code, libraries and devices of the records, with how many cells each made."""
    commit = [
        "no commit" if absent(c) else f"{c[:12]}{' with changes' if d is True else ''}"
        for c, d in zip(cells.commit, cells.dirty, strict=True)
    ]
    table = pd.DataFrame(
        {
            "trionet_bench": cells.version,
            "Commit": commit,
            "Python": cells.python,
            "torch": cells.torch,
            "torchvision": cells.torchvision,
            "Device": cells.device,
        }
    )
    return table.value_counts(sort=False).rename("Cells").reset_index()
