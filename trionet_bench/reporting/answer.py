"""The answer of a report in a few sentences, from the numbers and nothing else."""

import pandas as pd

from trionet_bench.analysis.comparisons import ALPHA, compare
from trionet_bench.analysis.controls import controls_of, other_datasets
from trionet_bench.analysis.model_spread import spread_of_models
from trionet_bench.analysis.placement import depth_word
from trionet_bench.analysis.placement_claims import LEAST, placement_claims
from trionet_bench.analysis.pooled import shared_error
from trionet_bench.analysis.ranking import supernet_correlations
from trionet_bench.analysis.ranking_power import INHERITED, score_table, worth_of_placement
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.summary import mark_leaders, summarise
from trionet_bench.reporting.figures.placement import leading_searches
from trionet_bench.reporting.quantity import primary, quantity_of
from trionet_bench.reporting.text import MINUS, absent, compact, listed
from trionet_bench.units import counted

MOST = 4  # comparisons of a kind that are put in words
_WORDS = {
    "better": "is better than",
    "worse": "is worse than",
    "matches": "matches",
    "worse, within the margin": "is worse than, but within the margin of,",
}


def answer(results: Results) -> list[str]:
    """Which model is best; what the declared comparisons say; what the searches placed where; how supernets rank."""
    parts = (_leader, _verdicts, _placement) if results.competitors else ()
    return [sentence for part in (*parts, _worth, _ranking) if (sentence := part(results))]


def coverage_line(results: Results) -> str:
    """N of M cells, k failed."""
    status = results.coverage().status.value_counts()
    total, done, failed = int(status.sum()), int(status.get("complete", 0)), int(status.get("failed", 0))
    line = f"{done} of {counted(total, 'cell')}, {failed} failed"
    missing = total - done - failed
    return line + (f", {missing} missing" if missing else "")


def _leader(results: Results) -> str:
    quantity = primary(results)
    descending = quantity.direction > 0
    table = summarise(results).assign(mark=mark_leaders(results))
    budget = results.budgets[-1]
    table = table[(table.budget == budget) & table.complete].dropna(subset=["mean"])
    if table.empty:
        return "No model has all of its seeds yet, so nothing can be compared."
    where = f"At {compact(budget)} MACs"
    if table.dataset.nunique() == 1:
        rows = table.sort_values("mean", ascending=not descending, kind="stable")
        best = rows.iloc[0]
        seeds = counted(int(best.n), "seed")
        leads = "is the most accurate" if quantity.noun == "accuracy" else f"has the {quantity.best} {quantity.label}"
        text = f"{where}, {best.model} {leads} on {best.dataset}: {quantity.with_unit(best['mean'])}"
        error = shared_error(results, results.score, int(budget))
        if error is not None and error.p >= ALPHA:
            text = (
                f"{where}, no model is shown to differ from another on {best.dataset} (F test over "
                f"{counted(error.models, 'model')}, p {error.p:.2f}). The {quantity.best} mean is that of "
                f"{best.model}, {quantity.with_unit(best['mean'])}"
            )
        bounds = f"95 % interval {quantity.interval(best.low, best.high)}, "
        text += f" ({'' if absent(best.low) else bounds}{seeds})"
        tied = [row.model for row in rows.iloc[1:].itertuples() if row.mark == "best"]
        return f"{text}; {listed(tied)} cannot be told from it." if tied else f"{text}."
    wide = table.pivot(index="dataset", columns="model", values="mean").dropna(axis=1)
    if wide.empty:
        return f"{where}, no model has results on all of the {counted(len(results.datasets), 'data set')} yet."
    means = wide.mean().sort_values(ascending=not descending, kind="stable")
    best_means = table.groupby("dataset")["mean"].transform("max" if descending else "min")
    wins = table[table["mean"] == best_means].model.value_counts()
    best = str(means.index[0])
    text = f"{where}, {best} has the {quantity.best} mean {quantity.noun} over {len(wide)} data sets, "
    text += quantity.with_unit(means.iloc[0])
    if len(means) > 1:
        text += f", before {means.index[1]} with {quantity.with_unit(means.iloc[1])}"
    first = int(wins.get(best, 0))
    return f"{text}; it is first on {'each' if first == len(wide) else first} of them."


def _verdicts(results: Results) -> str:
    table = compare(results)
    table = table[table.declared.astype(bool)].dropna(subset=["low"])
    if table.empty:
        return ""
    table = table[table.budget == table.budget.max()]
    decided, undecided = [], []
    for row in table.itertuples():
        quantity = quantity_of(results, row.metric)
        bounds = quantity.difference_interval(row.low, row.high)
        difference = f"({quantity.with_difference_unit(row.mean)}, {bounds})"
        if row.verdict in _WORDS:
            decided.append(f"{row.candidate} {_WORDS[row.verdict]} {row.baseline} {difference}")
        else:
            undecided.append(f"{row.candidate} against {row.baseline} {difference}")
    parts = [*decided[:MOST]]
    if undecided and not decided:
        return f"None of the declared comparisons is decided: {_some(undecided)}."
    if undecided:
        parts.append(f"undecided: {_some(undecided)}")
    return f"Of the declared comparisons: {'; '.join(parts)}."


def _some(parts: list[str]) -> str:
    return ", ".join(parts[:MOST]) + (f" and {len(parts) - MOST} more" if len(parts) > MOST else "")


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
        where = listed([str(int(stage) + 1 - min(first, 1)) for stage in sorted(group.stage)])
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
    models = f"The {known.models} models of {compact(known.budget)} MACs"
    noise = "the noise of seeds and test images"
    if known.high == 0:
        return f"{models} differ by less than {noise}."
    low, sd, high = map(quantity.number, (known.low, known.sd, known.high))
    differ = f"{sd} {quantity.difference_unit}".rstrip() + f" ([{low}, {high}])"
    said = f"{models} differ by a standard deviation of {differ} beyond {noise}"
    return f"{said}." if known.low > 0 else f"{said}, which may be nothing."


def _worth_of_networks(results: Results) -> str:
    """What there is to rank, where networks of one budget were trained several times."""
    quantity = primary(results)
    parts = []
    for row in worth_of_placement(results).itertuples():
        where = f"{counted(row.networks, 'network')} of {compact(row.budget)} MACs on {row.dataset}"
        low, worth, high = map(quantity.number, (row.low, row.worth, row.high))
        differ = f"{worth} {quantity.difference_unit}".rstrip() + f" ([{low}, {high}])"
        parts.append(
            f"{where} differ by a standard deviation of {differ} beyond the noise of training"
            if row.low > 0
            else f"{where} differ by no more than the noise of training shows ({differ}): any of them does, and "
            "nothing is claimed of how a supernet ranks them"
        )
    return f"{'; '.join(parts)}." if parts else ""


def _ranking(results: Results) -> str:
    worth = worth_of_placement(results)
    table = supernet_correlations(results)
    if table.empty or (len(worth) and (worth.low == 0).all()):
        return ""
    table = table[table.metric == results.measured("val", "inherited")]
    table = table.sort_values("tau", ascending=False, kind="stable")
    parts = [
        f"{row.tau:.2f}{'' if absent(row.tau_low) else f' [{row.tau_low:.2f}, {row.tau_high:.2f}]'} with {row.model}"
        for row in table.itertuples()
    ]
    noun = primary(results).noun
    said = (
        f"Over {counted(int(table.n.min()), 'architecture')}, Kendall's tau-b between {noun} with the supernet's "
        f"weights, recalibrated, and {noun} when trained alone is {_some(parts)}; {_ahead_of_macs(results)}."
    )
    return said.replace("-0.", f"{MINUS}0.")


def _ahead_of_macs(results: Results) -> str:
    """How many supernets rank better than counting MACs, by the interval of the paired difference."""
    scores = score_table(results)
    scores = scores[scores.score == INHERITED]
    ahead = int((scores.ahead_low > 0).sum())
    return f"{ahead} of {counted(len(scores), 'supernet')} {'ranks' if ahead == 1 else 'rank'} better than MACs do"


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
