"""Does a supernet rank better than counting MACs, or than another supernet? Both rank the same networks, so that their
difference is paired.
"""

import math

import numpy as np
import pandas as pd

from trionet_bench.analysis.ranking import LEAST, TAILS, resampled, resamples
from trionet_bench.analysis.ranking_power import MACS, regret, truths
from trionet_bench.analysis.results import Results

COLUMNS = [
    *("dataset", "budget", "model", "baseline", "networks", "seeds"),
    *("tau", "ahead", "low", "high", "regret", "regret_less"),
]


def supernet_differences(results: Results) -> pd.DataFrame:
    """Kendall's tau of each correlation model less that of MACs, and of each but the first less that of the first, over
    the seeds that both have.

    Columns: ``COLUMNS``. ``tau`` and ``regret`` are means over seeds; ``ahead`` is ``tau`` less that of the baseline,
    ``regret_less`` the regret of the baseline less ``regret``; ``low`` and ``high`` are the 95 % interval of ``ahead``
    from a bootstrap over networks, which are the same ones for every seed (NaN below ten networks).
    """
    rows = []
    for (dataset, budget), group in truths(results).groupby(["dataset", "budget"], sort=False):
        models = [model for model in results.models if model in set(group.model)]
        of_seeds = {name: dict(iter(group[group.model == name].groupby("seed"))) for name in models}
        counted = {seed: of_seed.assign(inherited=of_seed.macs) for seed, of_seed in of_seeds[models[0]].items()}
        asked = [(model, MACS, counted) for model in models]
        asked += [(model, models[0], of_seeds[models[0]]) for model in models[1:]]
        for model, baseline, theirs in asked:
            ours = of_seeds[model]
            pairs = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
            pairs = [pair for pair in pairs if pair[0].architecture.tolist() == pair[1].architecture.tolist()]
            if pairs:
                head = {"dataset": dataset, "budget": budget, "model": model, "baseline": baseline}
                rows.append({**head, **_difference(pairs)})
    return pd.DataFrame(rows, columns=COLUMNS)


def _difference(pairs: list[tuple[pd.DataFrame, pd.DataFrame]]) -> dict[str, float]:
    n = len(pairs[0][0])
    counts = resamples(n)
    ours, theirs = (np.mean([_taus(pair[of], counts) for pair in pairs], axis=0) for of in (0, 1))
    ahead = ours - theirs
    low, high = np.nanpercentile(ahead[1:], TAILS) if n >= LEAST else (math.nan, math.nan)
    regrets = [float(np.mean([regret(*_values(pair[of])) for pair in pairs])) for of in (0, 1)]
    return {
        **{"networks": n, "seeds": len(pairs), "tau": float(ours[0]), "ahead": float(ahead[0])},
        **{"low": float(low), "high": float(high), "regret": regrets[0], "regret_less": regrets[1] - regrets[0]},
    }


def _taus(ranked: pd.DataFrame, counts: np.ndarray) -> np.ndarray:
    return resampled(*_values(ranked), counts)[0]


def _values(ranked: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Score and truth of the networks."""
    return ranked.inherited.to_numpy(float), ranked.truth.to_numpy(float)
