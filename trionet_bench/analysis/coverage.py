"""How often the intervals of reports hold the truth, by simulation: ``python -m trionet_bench.analysis.coverage``.

Studies are drawn whose truth is known. A network answers an image rightly where a sum of normal parts is above zero:
its model, the image, what the model makes of the image, the seed, the model under that seed, and chance. The true
accuracy of a model is over all seeds and images. Sizes are those of a small study: 5 models, 300 test images, about
85 % right, a standard deviation of 2 points between runs and of 1.6 points for what the images add to a difference.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from trionet_bench.analysis.crossed import OF_A_DIFFERENCE, OF_A_SHARE, image_part
from trionet_bench.analysis.decision import simultaneous
from trionet_bench.analysis.pooled import pooled_difference, pooled_error
from trionet_bench.analysis.ranking_power import worth_interval
from trionet_bench.analysis.statistics import (
    LEVEL,
    estimate,
    paired_difference,
    proportion_interval,
    t_interval,
)

SEEDS = (3, 5, 8)
STUDIES = 2000
MODELS, IMAGES = 5, 300
NETWORKS = 16  # of one budget, for what placement is worth


@dataclass(frozen=True)
class Parts:
    """Standard deviations of the normal parts that decide whether an answer is right."""

    image: float = 1.0
    model_by_image: float = 0.6
    seed: float = 0.04
    run: float = 0.08
    chance: float = 0.4

    def accuracy(self, level: float) -> float:
        """Over all seeds and images, of a model of this level."""
        parts = (self.image, self.model_by_image, self.seed, self.run, self.chance)
        return float(stats.norm.cdf(level / np.linalg.norm(parts)))


def draw_study(
    generator: np.random.Generator, levels: NDArray[np.float64], seeds: int, parts: Parts, noisy: float = 1.0
) -> NDArray[np.float64]:
    """Right (1) or wrong (0) answers, (seeds, models, images); runs of the first model are ``noisy`` times as noisy."""
    models = len(levels)
    run = parts.run * np.array([noisy] + [1.0] * (models - 1))
    latent = (
        levels[:, None]
        + parts.image * generator.normal(size=(1, 1, IMAGES))
        + parts.model_by_image * generator.normal(size=(1, models, IMAGES))
        + parts.seed * generator.normal(size=(seeds, 1, 1))
        + run[:, None] * generator.normal(size=(seeds, models, 1))
        + parts.chance * generator.normal(size=(seeds, models, IMAGES))
    )
    return (latent > 0).astype(float)


def coverage_table(studies: int, seeds: tuple[int, ...] = SEEDS) -> pd.DataFrame:
    """Share of simulated studies whose interval holds the truth: a row for each kind of interval, a column for each n.

    Rows that speak of errors count the studies in which something is claimed that is not there.
    """
    columns: dict[str, dict[str, float]] = {}
    for n in seeds:
        held: dict[str, list[bool]] = defaultdict(list)
        generator = np.random.default_rng(n)
        for _ in range(studies):
            for kind, hit in (*_of_a_study(generator, n), *_of_networks(generator, n)):
                held[kind].append(hit)
        columns[f"n = {n}"] = {kind: float(np.mean(hits)) for kind, hits in held.items()}
    return pd.DataFrame(columns).rename_axis("interval").reset_index()


def _of_a_study(generator: np.random.Generator, n: int) -> Iterator[tuple[str, bool]]:
    parts = Parts()
    levels = np.array([1.5, 1.4, 1.3, 1.2, 1.1])
    truth = [parts.accuracy(level) for level in levels]
    answers = draw_study(generator, levels, n, parts)
    runs = answers.mean(axis=2)  # (n, models)
    mean = float(runs[:, 1].mean())
    by_seeds = float(runs[:, 1].var(ddof=1)) / n
    both = estimate(mean, by_seeds, n - 1, [image_part(answers[:, 1], OF_A_SHARE)])
    yield "mean of a model: seeds and images", both.low <= truth[1] <= both.high
    alone = t_interval(runs[:, 1])
    yield "mean of a model: seeds alone", alone.low <= truth[1] <= alone.high
    low, high = proportion_interval(answers[0, 1].sum(), IMAGES)
    yield "one run of a model: images alone (one seed, †)", bool(low <= truth[1] <= high)
    yield from _of_differences(answers, truth[1] - truth[2], "")
    noisy = draw_study(generator, levels, n, parts, noisy=2.0)
    yield from _of_differences(noisy, truth[1] - truth[2], ", another model twice as noisy")
    yield from _of_differences(noisy[:, [1, 0, 2, 3, 4]], truth[0] - truth[2], ", the model itself twice as noisy")
    equal = draw_study(generator, np.full(MODELS, 1.3), n, parts)
    error = pooled_error(_values(equal), {("d", str(m), s): equal[s, m] for s in range(n) for m in range(MODELS)})
    assert error is not None
    yield "F test: models that are equal pass for different", error.p < 1 - LEVEL
    best = int(equal.mean(axis=(0, 2)).argmax())
    leads = []
    for other in set(range(MODELS)) - {best}:
        by_image = equal[:, best] - equal[:, other]
        lead = pooled_difference([float(by_image.mean())], [n], error, [image_part(by_image, OF_A_DIFFERENCE)])
        leads.append(lead.mean - simultaneous(MODELS, lead.df) * lead.spread)
    yield "recommendation: a winner among models that are equal", error.p < 1 - LEVEL and min(leads) > 0


def _of_differences(answers: NDArray[np.float64], truth: float, where: str) -> Iterator[tuple[str, bool]]:
    """Of the models at places 1 and 2 of (seeds, models, images)."""
    n = len(answers)
    by_image = answers[:, 1] - answers[:, 2]
    part = image_part(by_image, OF_A_DIFFERENCE)
    differences = by_image.mean(axis=1)
    error = pooled_error(_values(answers))
    assert error is not None
    for kind, parts in (("seeds and images", [part]), ("seeds alone", [])):
        known = pooled_difference([float(differences.mean())], [n], error, parts)
        yield f"difference, error of all models: {kind}{where}", known.low <= truth <= known.high
    pair = paired_difference(differences.tolist(), parts=[part])
    yield f"difference, the pair alone: seeds and images{where}", pair.low <= truth <= pair.high


def _values(answers: NDArray[np.float64]) -> pd.DataFrame:
    """Accuracies of (seeds, models, images) in long form."""
    seeds, models, _ = answers.shape
    grid = pd.MultiIndex.from_product([range(seeds), [str(m) for m in range(models)]], names=["seed", "model"])
    return pd.DataFrame({"value": answers.mean(axis=2).ravel()}, index=grid).reset_index().assign(dataset="d")


def _of_networks(generator: np.random.Generator, n: int) -> Iterator[tuple[str, bool]]:
    """Here n is the number of data sets, of found networks, or of trainings of each network."""
    across = t_interval(0.01 + 0.02 * generator.normal(size=n))
    yield "difference on data sets like these: n data sets", across.low <= 0.01 <= across.high
    low, high = proportion_interval(int(generator.binomial(n, 0.4)), n)
    yield "share of found networks: n networks", bool(low <= 0.4 <= high)
    worth, noise = 0.010, 0.012
    networks = worth * generator.normal(size=NETWORKS)
    alone = networks[:, None] + noise * generator.normal(size=(NETWORKS, n))
    observed, within = float(alone.mean(axis=1).var(ddof=1)), float(alone.var(axis=1, ddof=1).mean())
    low, _, high = worth_interval(observed, within, NETWORKS, n)
    yield f"what placement is worth: {NETWORKS} networks, n trainings each", low <= worth <= high


if __name__ == "__main__":
    table = coverage_table(int(sys.argv[1]) if len(sys.argv) > 1 else STUDIES)
    print(table.to_markdown(index=False, floatfmt=".3f"))
