"""How often studies err that are looked at several times: simulated, for the table in docs/reports.md.

``python -m trionet_bench.analysis.look_errors`` prints the table; about ten seconds.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from trionet_bench.suite.seeds import SeedPlan

Floats = NDArray[np.float64]


def claims(
    values: Floats, looks: Sequence[int], levels: Sequence[float], margin: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """What studies claim of their candidates against the first model, each at the look at which it ends.

    A study ends at the first look at which every candidate differs from the baseline or lies above minus the margin, by
    the error that all models share and Holm's correction at the level of the look; else at the last.

    Args:
        values: by study, model and seed (S, k, n), where more is better.
        looks: seeds of each look.
        levels: of each look.

    Returns whether each candidate differs (S, k - 1), whether it lies above minus the margin (S, k - 1), and the seeds
    of each study (S,).
    """
    studies, models, _ = values.shape
    differ, within = np.zeros((2, studies, models - 1), bool)
    seeds = np.zeros(studies, np.int64)
    for count, level in zip(looks, levels, strict=True):
        open_studies = seeds == 0
        part = values[open_studies, :, :count]
        means = part.mean(axis=2)
        left = part - part.mean(axis=1, keepdims=True) - means[..., None] + part.mean(axis=(1, 2), keepdims=True)
        df = (models - 1) * (count - 1)
        spread = np.sqrt((left**2).sum(axis=(1, 2)) / df * 2 / count)[:, None]  # of a difference
        difference = means[:, 1:] - means[:, :1]
        now_differ = _holm(2 * stats.t.sf(abs(difference) / spread, df), level)
        now_within = _holm(stats.t.sf((difference + margin) / spread, df), level)
        ends = (now_differ | now_within).all(axis=1) | (count == looks[-1])
        ended = np.flatnonzero(open_studies)[ends]
        differ[ended], within[ended], seeds[ended] = now_differ[ends], now_within[ends], count
    return differ, within, seeds


def _holm(p: Floats, level: float) -> NDArray[np.bool_]:
    """Which are rejected of each row of p values (S, m)."""
    order = np.argsort(p, axis=1)
    count = p.shape[1]
    rejected = np.logical_and.accumulate(
        np.take_along_axis(p, order, axis=1) * (count - np.arange(count)) < level, axis=1
    )
    result = np.empty_like(rejected)
    np.put_along_axis(result, order, rejected, axis=1)
    return result


def error_rates(
    plan: SeedPlan, levels: Sequence[float], shift: float, margin: float, models: int = 5, studies: int = 10_000
) -> tuple[float, float, float]:
    """Share of studies that call a candidate different, share that call one within the margin, and mean seeds.

    Args:
        shift: true difference of every candidate to the baseline, in standard deviations of one run, as the margin.
    """
    values = np.random.default_rng(0).normal(size=(studies, models, plan.most))
    values[:, 1:] += shift
    differ, within, seeds = claims(values, plan.looks, levels, margin)
    return float(differ.any(axis=1).mean()), float(within.any(axis=1).mean()), float(seeds.mean())


def main() -> None:
    """Print the table."""
    heads = ("seeds", "looks", "margin", "differs, but equal", "the same at 5 % each look", "within, but worse by it")
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for plan in (SeedPlan(start=3, most=12), SeedPlan(start=3, most=5), SeedPlan(start=5, most=20)):
        levels = [plan.level(count) for count in plan.looks]
        for margin in (1.0, 2.0):
            equal, _, seeds = error_rates(plan, levels, 0.0, margin)
            naive, _, _ = error_rates(plan, [0.05] * len(levels), 0.0, margin)
            _, false, _ = error_rates(plan, levels, -margin, margin)
            looks = ", ".join(map(str, plan.looks))
            print(
                f"| {plan.start} to {plan.most}, mean {seeds:.1f} | {looks} | {margin:g} sd | {100 * equal:.1f} % "
                f"| {100 * naive:.1f} % | {100 * false:.1f} % |"
            )


if __name__ == "__main__":
    main()
