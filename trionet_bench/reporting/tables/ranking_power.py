"""What placement is worth, and whether a supernet ranks better than counting MACs, from correlation cells."""

import pandas as pd

from trionet_bench.analysis.ranking_power import INHERITED, MACS, PREDICTOR, score_table, worth_of_placement
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.supernet_differences import supernet_differences
from trionet_bench.reporting.quantity import primary
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, compact, tau_interval, tau_text


def placement_worth(results: Results) -> Table | None:
    """One row for each data set and budget whose networks were trained several times."""
    table = worth_of_placement(results)
    if table.empty:
        return None
    quantity = primary(results)
    unit = quantity.difference_bracketed
    text = pd.DataFrame(
        {
            "Data set": table.dataset,
            "Budget": table.budget.map(compact),
            "Networks": table.networks.astype(str),
            "Runs of each": table.runs.astype(str),
            f"Between networks{unit}": table.observed.map(quantity.number),
            f"One run's noise{unit}": table.noise.map(quantity.number),
            f"Worth of placement{unit}": table.worth.map(quantity.number),
            "95 % interval": [
                _range(quantity.number(row.low), quantity.number(row.high)) for row in table.itertuples()
            ],
        }
    )
    note = (
        f"Standard deviations of validation {quantity.noun} over networks that spend the budget: of their means, of "
        "one training repeated, and between networks without that noise, with its interval. "
        "Where the last is about nothing, any of these networks does, and a search has nothing to find."
    )
    return Table(table, text, note, groups=2, numbers=list(text.columns[2:]))


def scores_beside_macs(results: Results) -> Table | None:
    """One row for each supernet and what it ranks by, after one for each score that needs no supernet."""
    table = score_table(results)
    if table.empty:
        return None
    table = _each_once(table)
    ahead = table.where(table.score != MACS)
    quantity = primary(results)
    unit = quantity.difference_bracketed
    text = pd.DataFrame(
        {
            "Data set": table.dataset,
            "Budget": table.budget.map(compact),
            "Supernet": [f"{row.model or 'none'}, seed {row.seed}" for row in table.itertuples()],
            "Score": table.score,
            "Kendall \N{GREEK SMALL LETTER TAU}": table.tau.map(tau_text),
            "95 % interval": [tau_interval(row.low, row.high) for row in table.itertuples()],
            "Ahead of MACs": ahead.ahead.map(tau_text),
            "Interval of it": [tau_interval(row.ahead_low, row.ahead_high) for row in ahead.itertuples()],
            f"Regret{unit}": table.regret.map(quantity.number),
            "Ceiling": table.ceiling.map(tau_text),
            "Truth repeated": table.repeated.map(tau_text),
        }
    )
    note = (
        f"Each score of a network against its validation {quantity.noun} when trained alone, by Kendall's tau; "
        "intervals by bootstrap over networks, of differences from the same resamples, none below ten networks. "
        "Regret: the best network minus the one that the score puts first. Ceiling: the tau of a score without error, "
        "given the noise of the truth and values that are normal; truth repeated: of one half of the runs with the "
        "other, which a score without error exceeds whatever the values are. Both need networks that were trained "
        "several times. Predictor: ridge regression on the inherited score, MACs and operators, fitted to all networks "
        "but the one that it predicts, so it costs their training."
    )
    return Table(table, text, note, groups=3, numbers=list(text.columns[4:]))


def _each_once(table: pd.DataFrame) -> pd.DataFrame:
    """What ranks without a supernet is the same beside every supernet of a data set, budget and seed: once, first."""
    of_supernet = table.score.isin([INHERITED, PREDICTOR])
    place = ["dataset", "budget", "seed"]
    free = table[~of_supernet].drop_duplicates([*place, "score"]).assign(model="")
    first = pd.concat([free, table[of_supernet]])
    order = table.drop_duplicates(place[:2])[place[:2]].itertuples(index=False, name=None)
    return pd.concat([first[(first.dataset == d) & (first.budget == b)] for d, b in order], ignore_index=True)


def supernets_paired(results: Results) -> Table | None:
    """One row for each supernet beside MACs, and for each but the first beside the first: how much better it ranks the
    same networks.
    """
    table = supernet_differences(results)
    if table.empty:
        return None
    quantity = primary(results)
    unit = quantity.difference_bracketed
    tau = "Kendall \N{GREEK SMALL LETTER TAU}"
    text = pd.DataFrame(
        {
            "Data set": table.dataset,
            "Budget": table.budget.map(compact),
            "Supernet": table.model,
            "Against": table.baseline,
            "Networks": table.networks.astype(str),
            "Seeds": table.seeds.astype(str),
            tau: table.tau.map(tau_text),
            "Ahead": table.ahead.map(tau_text),
            "95 % interval": [tau_interval(row.low, row.high) for row in table.itertuples()],
            f"Regret{unit}": table.regret.map(quantity.number),
            f"Less regret{unit}": table.regret_less.map(quantity.difference),
        }
    )
    note = (
        "Supernets and MACs rank the same networks, so their differences are paired: means over seeds, intervals by "
        "bootstrap over networks, the same ones for all seeds; none below ten networks."
    )
    return Table(table, text, note, groups=2, numbers=list(text.columns[4:]))


def _range(low: str, high: str) -> str:
    return DASH if DASH in (low, high) else f"[{low}, {high}]"
