"""What there is to rank, and whether a supernet ranks better than counting does.

All from correlation cells. First comes what placement is worth: the variance between networks of a range of costs, less
that of training one of them again. Where it is within the noise there is nothing to rank. Each supernet is then judged
by itself, beside the scores that cost nothing: MACs, parameters, and the share of each operator.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trionet_bench.analysis.metrics import sign
from trionet_bench.analysis.ranking import LEAST, TAILS, resampled, resamples
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import LEVEL
from trionet_bench.spaces.operators import OPERATORS

INHERITED, MACS, PARAMETERS, PREDICTOR = "inherited", "MACs", "parameters", "predictor"


def worth_of_placement(results: Results) -> pd.DataFrame:
    """How far networks of a data set and a budget differ when trained, in the primary metric.

    One row for each (dataset, budget) whose networks were trained several times: ``networks``, ``runs`` of each,
    ``observed`` standard deviation of their means, ``noise`` standard deviation of one run, and ``worth``, the standard
    deviation between networks without noise, with its interval (``low``, ``high``), see ``worth_interval``. Seeds have
    splits of their own, so variances are taken within a seed and then averaged.
    """
    rows = []
    for (dataset, budget), group in truths(results).groupby(["dataset", "budget"], sort=False):
        known = group.dropna(subset=["val_sd"]).drop_duplicates(["seed", "architecture"])  # all supernets share them
        sizes = known.groupby("seed").size()
        if known.empty or sizes.min() < 3:
            continue
        of_seeds = known.groupby("seed")
        observed, noise = float(of_seeds.truth.var().mean()), float((known.val_sd.astype(float) ** 2).mean())
        networks, runs = int(sizes.max()), int(known.runs.min())
        low, worth, high = worth_interval(observed, noise, networks, runs)
        rows.append(
            {
                **{"dataset": dataset, "budget": budget, "networks": networks, "runs": runs},
                **{"observed": math.sqrt(observed), "noise": math.sqrt(noise)},
                **{"worth": worth, "low": low, "high": high},
            }
        )
    columns = ["dataset", "budget", "networks", "runs", "observed", "noise", "worth", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def worth_interval(observed: float, noise: float, networks: int, runs: int) -> tuple[float, float, float]:
    """Standard deviation between networks without noise: lower end, estimate, upper end (95 %).

    Args:
        observed: variance of the networks' means of ``runs`` runs.
        noise: variance of one run.

    The interval is that of a variance of normal values by chi-square, less the noise of a mean, which many runs tell
    well. What would be negative counts as 0. Coverage is simulated in tests/analysis/test_analysis_ranking_power.py.
    """
    degrees = networks - 1
    ends = stats.chi2.ppf([0.5 * (1 + LEVEL), 0.5 * (1 - LEVEL)], degrees)
    low, high = (degrees * observed / end for end in ends)
    return tuple(math.sqrt(max(variance - noise / runs, 0.0)) for variance in (low, observed, high))  # type: ignore[return-value]


def ceiling(worth: float, noise: float, runs: int) -> float:
    """Kendall's tau that a perfect score would reach with the mean of ``runs`` noisy runs as the truth, for normal
    values: 2/pi arcsin of their correlation. 0 where nothing differs.
    """
    spread = math.hypot(worth, noise / math.sqrt(runs))
    return 2 / math.pi * math.asin(worth / spread) if spread > 0 else 0.0


def repeated(alone: np.ndarray) -> float:
    """Kendall's tau of the truth with itself: of the mean of one half of the runs with that of the other half, over all
    ways to halve them (with an odd number one run is in neither); NaN below two runs.

    Args:
        alone: (networks, runs).

    A score without error agrees with the mean of all runs better than one half agrees with the other, whatever the
    distribution of the networks: this is a lower end of what can be reached, where ``ceiling`` assumes normal values.
    """
    runs = alone.shape[1]
    taus = [
        float(stats.kendalltau(alone[:, list(one)].mean(axis=1), alone[:, list(other)].mean(axis=1)).statistic)
        for one in combinations(range(runs), runs // 2)
        for other in combinations(sorted({*range(runs)} - {*one}), runs // 2)
        if one < other
    ]
    return float(np.mean(taus)) if taus else math.nan


def predicted(group: pd.DataFrame) -> np.ndarray:
    """Each network's truth as all the other networks predict it: ridge regression on the inherited score, log MACs and
    the share of each operator, its penalty chosen by leaving out one of those others. Our choice.
    """
    columns = [group.inherited, np.log(group.macs.astype(float)), *(share for _, share in operator_shares(group))]
    model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-2, 3, 11)))
    values: np.ndarray = cross_val_predict(model, np.column_stack(columns), group.truth, cv=LeaveOneOut())
    return values


def score_table(results: Results) -> pd.DataFrame:
    """Kendall's tau of every score with training alone, for each supernet (dataset, budget, model, seed).

    Columns: dataset, budget, model, seed, networks, score, tau, low, high, ahead, ahead_low, ahead_high, regret,
    ceiling, repeated. ``score`` is the supernet's, or one that needs none, or from ten networks on that of
    ``predicted``; ``ahead`` is tau less that of MACs, its interval from
    the same resamples of networks; ``regret`` is the metric of the best network less that of the one which the score
    puts first; ``ceiling`` and ``repeated`` are NaN where networks were trained once. Intervals are 95 %, none below
    ten networks.
    """
    worth = worth_of_placement(results).set_index(["dataset", "budget"])
    rows = []
    for supernet, group in truths(results).groupby(["dataset", "budget", "model", "seed"], sort=False):
        truth, n = group.truth.to_numpy(float), len(group)
        if n < 3:
            continue
        counts = resamples(n)
        scores = dict(_scores(group))
        taus = {name: resampled(values, truth, counts)[0] for name, values in scores.items()}
        top = math.nan
        if supernet[:2] in worth.index:
            known = worth.loc[supernet[:2]]
            top = ceiling(float(known.worth), float(known.noise), int(known.runs))
        again = repeated(np.array([*group.alone])) if group.alone.notna().all() else math.nan
        for name, values in scores.items():
            tau, ahead = taus[name], taus[name] - taus[MACS]
            low, high = np.nanpercentile(tau[1:], TAILS) if n >= LEAST else (math.nan, math.nan)
            ahead_low, ahead_high = np.nanpercentile(ahead[1:], TAILS) if n >= LEAST else (math.nan, math.nan)
            rows.append(
                {
                    **dict(zip(("dataset", "budget", "model", "seed"), supernet, strict=True)),
                    **{"networks": n, "score": name, "tau": float(tau[0]), "low": low, "high": high},
                    **{"ahead": float(ahead[0]), "ahead_low": ahead_low, "ahead_high": ahead_high},
                    **{"regret": regret(values, truth), "ceiling": top, "repeated": again},
                }
            )
    return pd.DataFrame(rows)


def regret(score: np.ndarray, truth: np.ndarray) -> float:
    """The best truth less that of the networks which the score puts first."""
    return float(truth.max() - truth[score == score.max()].mean())


def _scores(group: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """What ranks the networks of one supernet, by name; higher is better."""
    yield INHERITED, group.inherited.to_numpy(float)
    yield MACS, group.macs.to_numpy(float)
    yield PARAMETERS, group.params.to_numpy(float)
    yield from operator_shares(group)
    if len(group) >= LEAST:
        yield PREDICTOR, predicted(group)


def operator_shares(group: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """The share of each operator in the blocks of each network, where networks differ in it."""
    codes: Mapping[str, str] = {spec.code: spec.name for spec in OPERATORS}
    for code in sorted(set("".join(group.operators))):
        share = group.operators.map(lambda text, code=code: text.count(code) / len(text))
        if share.nunique() > 1:
            yield f"share of {codes.get(code, code)}", share.to_numpy(float)


def truths(results: Results) -> pd.DataFrame:
    """Every ranked network with its ``truth``, trained alone, and its ``inherited`` score; higher is better."""
    ranked = results.ranked
    if ranked.empty:
        return pd.DataFrame(columns=["dataset", "budget", "model", "seed", "truth", "inherited", "val_sd", "runs"])
    direction, alone = sign(results.primary), results.measured("val")
    truth, inherited = direction * ranked[alone], direction * ranked[f"inherited_{alone}"]
    return ranked.assign(truth=truth, inherited=inherited, val_sd=ranked[f"{alone}_sd"].astype(float))
