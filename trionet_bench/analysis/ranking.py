"""Ranks: of architectures with inherited weights against trained from scratch, and of models over data sets."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from trionet_bench.analysis.controls import asked_datasets
from trionet_bench.analysis.metrics import sign
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import LEVEL
from trionet_bench.analysis.summary import summarise

FEW = 30  # below, a rank correlation says little: with ten architectures a true 0.59 shows as 0.20 to 0.87
LEAST = 10  # below, no interval at all
DATASETS = 8  # below, a critical-difference diagram has no power
RESAMPLES = 1999
TAILS = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]


@dataclass(frozen=True)
class Agreement:
    """How far one score orders architectures as another value does.

    ``tau_within`` is the mean of tau-b within thirds of equal size by MACs: without it both may merely follow size.
    ``regret`` is the best value minus that of the architecture which the score puts first. Intervals are 95 %, from a
    bootstrap over architectures.
    """

    n: int
    tau: float
    tau_low: float
    tau_high: float
    rho: float
    rho_low: float
    rho_high: float
    tau_within: float
    regret: float


def agreement(score: ArrayLike, value: ArrayLike, macs: ArrayLike) -> Agreement:
    """Kendall's tau-b and Spearman's rho of ``score`` (inherited) with ``value`` (stand-alone); higher is better."""
    scores, values, costs = (np.asarray(array, float) for array in (score, value, macs))
    n = len(scores)
    (tau_low, tau_high), (rho_low, rho_high) = _bootstrap(scores, values)
    first = np.flatnonzero(scores == scores.max()) if n else np.array([], int)
    regret = float(values.max() - values[first].mean()) if n else np.nan
    within = _tau_within(scores, values, costs)
    return Agreement(
        n, _tau(scores, values), tau_low, tau_high, _rho(scores, values), rho_low, rho_high, within, regret
    )


def _tau(a: np.ndarray, b: np.ndarray) -> float:
    return float(stats.kendalltau(a, b).statistic) if len(a) > 1 else np.nan


def _rho(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(stats.spearmanr(a, b).statistic)


def resampled(a: ArrayLike, b: ArrayLike, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tau-b and rho of every resample at once; ``counts`` (resamples, n) says how often each pair is in it.

    Both are sums over pairs of orders, so that a thousand resamples are a few matrix products: scipy's functions, which
    agree (tests/analysis/test_analysis_ranking.py), take a third of a second for them.
    """
    exact = np.float32 if counts.shape[1] < 2**12 else np.float64  # sums of up to n * n ones and twos
    orders = [np.sign(np.subtract.outer(array, array)).astype(exact) for array in (np.asarray(a), np.asarray(b))]
    counts = counts.astype(exact)
    both, first, second = (
        ((counts @ product) * counts).sum(axis=1, dtype=float)
        for product in (orders[0] * orders[1], orders[0] ** 2, orders[1] ** 2)
    )
    ranks = [counts @ order.T for order in orders]  # centred mid-ranks: how many lie below minus how many above
    pairs = (ranks, ranks[:1] * 2, ranks[1:] * 2)
    across, within_a, within_b = ((counts * left * right).sum(axis=1, dtype=float) for left, right in pairs)
    with np.errstate(invalid="ignore", divide="ignore"):
        return both / np.sqrt(first * second), across / np.sqrt(within_a * within_b)


def resamples(n: int) -> np.ndarray:
    """How often each of n networks is in each resample, (1 + RESAMPLES, n); the first has all of them once."""
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES)
    return np.vstack([np.ones(n, dtype=counts.dtype), counts])


def _bootstrap(a: np.ndarray, b: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Percentile intervals of tau-b and rho over architectures."""
    if len(a) < LEAST or np.ptp(a) == 0 or np.ptp(b) == 0:
        return (np.nan, np.nan), (np.nan, np.nan)
    tau, rho = (np.nanpercentile(values[1:], TAILS) for values in resampled(a, b, resamples(len(a))))
    return (float(tau[0]), float(tau[1])), (float(rho[0]), float(rho[1]))


def _tau_within(scores: np.ndarray, values: np.ndarray, macs: np.ndarray) -> float:
    if len(scores) < LEAST:
        return np.nan
    thirds = np.array_split(np.argsort(macs, kind="stable"), 3)
    return float(np.nanmean([_tau(scores[third], values[third]) for third in thirds]))


def architectures(results: Results) -> pd.DataFrame:
    """Every architecture that was scored with a supernet's weights and trained from scratch, its seeds averaged.

    Columns: dataset, model, architecture, macs, the primary metric on the test part, and every ``inherited_`` column.
    """
    cells, score = results.complete, results.score
    inherited = _inherited(cells)
    if not inherited or score not in cells:
        return pd.DataFrame(columns=["dataset", "model", "architecture", "macs", score])
    known = cells.dropna(subset=[score, "architecture"]).dropna(subset=inherited, how="all")
    keys = ["dataset", "model", "architecture"]
    return known.groupby(keys, sort=False)[["macs", score, *inherited]].mean().reset_index()


def _inherited(frame: pd.DataFrame) -> list[str]:
    """Columns of the primary metric with a supernet's weights."""
    return [str(column) for column in frame if str(column).startswith("inherited_")]


def ranked_architectures(results: Results) -> pd.DataFrame:
    """Every architecture of the correlation models, its seeds averaged.

    Columns: dataset, model, budget, architecture, operators, scored_by, macs, and the primary metric on the validation
    images, alone and inherited, or what ``scored_by`` says in place of the latter.
    """
    keys = ["dataset", "model", "budget", "architecture", "operators", "scored_by"]
    if results.ranked.empty:
        return pd.DataFrame(columns=keys)
    numbers = ["macs", results.measured("val"), *_inherited(results.ranked)]
    return results.ranked.groupby(keys, sort=False)[numbers].mean().reset_index()


def supernet_correlations(results: Results) -> pd.DataFrame:
    """``agreement`` of each inherited score with training from scratch, both on validation images, for each data set,
    budget and correlation model, that is for each supernet.
    """
    direction, alone = sign(results.primary), results.measured("val")
    rows = []
    for (dataset, budget, model), group in ranked_architectures(results).groupby(
        ["dataset", "budget", "model"], sort=False
    ):
        for metric in _inherited(group):
            agrees = agreement(direction * group[metric], direction * group[alone], group.macs)
            rows.append({"dataset": dataset, "budget": budget, "model": model, "metric": metric, **vars(agrees)})
    return pd.DataFrame(rows)


@lru_cache(maxsize=2)
def correlations(results: Results) -> pd.DataFrame:
    """``agreement`` of every inherited score of searched networks with training from scratch, for each data set."""
    direction, score = sign(results.primary), results.score
    table = architectures(results)
    rows = []
    for dataset in [name for name in results.datasets if name in set(table.dataset)]:
        group = table[table.dataset == dataset]
        for metric in _inherited(group):
            known = group.dropna(subset=[metric])
            if len(known) > 2:
                rows.append(
                    {
                        "dataset": dataset,
                        "metric": metric,
                        **vars(agreement(direction * known[metric], direction * known[score], known.macs)),
                    }
                )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class MeanRanks:
    """Mean ranks of models over data sets, 1 is best, with Friedman's p and Nemenyi's p for each pair."""

    budget: int
    datasets: int
    ranks: pd.Series
    friedman_p: float
    nemenyi_p: pd.DataFrame


def mean_ranks(results: Results) -> MeanRanks | str:
    """Ranks by the primary metric at the largest budget over the data sets that are no controls, or in words why there
    is no critical-difference diagram.
    """
    budget = results.budgets[-1]
    table = summarise(results)
    table = table[(table.budget == budget) & table.dataset.isin(asked_datasets(results))]
    count = table.dataset.nunique()
    if count < DATASETS:
        return (
            f"No critical-difference diagram: it needs {DATASETS} data sets, here are {count}; with {count} the "
            f"smallest two-sided p of a signed-rank test is {2.0 ** (1 - count):.3g}."
        )
    lacking = table[~table.complete]
    if len(lacking):
        names = ", ".join(f"{row.model} on {row.dataset}" for row in lacking.head(3).itertuples())
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        return f"No critical-difference diagram: seeds are lacking for {names}{more}."
    if table.model.nunique() < 3:
        return "No critical-difference diagram: it needs three models."
    if find_spec("scikit_posthocs") is None:
        return "No critical-difference diagram: it needs scikit-posthocs (pip install scikit-posthocs)."
    import scikit_posthocs  # of an optional extra

    wide = table.pivot(index="dataset", columns="model", values="mean")[results.competitors]
    friedman = stats.friedmanchisquare(*(wide[model] for model in wide))
    nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(wide)
    ranks = wide.rank(axis=1, ascending=sign(results.primary) < 0).mean()
    return MeanRanks(budget, count, ranks, float(friedman.pvalue), nemenyi)
