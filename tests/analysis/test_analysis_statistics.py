import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from trionet_bench.analysis.statistics import (
    grouped_t_intervals,
    holm,
    mcnemar_exact,
    paired_difference,
    proportion_interval,
    sign_flip,
    t_interval,
)

SEEDS = [0.91, 0.93, 0.95]


def test_t_interval_by_hand():
    # mean 0.93, sd 0.02; Student's 97.5 % quantile for 2 degrees of freedom is 4.30265
    interval = t_interval(SEEDS)
    half = 4.30265 * 0.02 / np.sqrt(3)
    assert (interval.mean, interval.sd, interval.n) == pytest.approx((0.93, 0.02, 3))
    assert (interval.low, interval.high) == pytest.approx((0.93 - half, 0.93 + half), abs=1e-6)


def test_t_interval_covers_as_often_as_it_claims():
    generator = np.random.default_rng(0)
    hits = [t_interval(sample).low <= 0 <= t_interval(sample).high for sample in generator.normal(size=(4000, 3))]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.012)


def test_no_interval_from_one_seed():
    assert np.isnan([t_interval([0.9]).low, t_interval([0.9]).high, t_interval([0.9]).sd]).all()


def test_grouped_intervals_are_the_single_ones():
    frame = pd.DataFrame({"model": ["a"] * 3 + ["b"] * 2 + ["c"], "x": [*SEEDS, 0.5, 0.7, 0.4]})
    table = grouped_t_intervals(frame, ["model"], "x").set_index("model")
    for model, own in frame.groupby("model"):
        single = t_interval(own.x.to_numpy())
        expected = [single.mean, single.sd, single.n, single.low, single.high]
        np.testing.assert_allclose(table.loc[model, ["mean", "sd", "n", "low", "high"]].to_numpy(float), expected)


def test_paired_difference_of_one_data_set_is_the_paired_t_test():
    baseline, candidate = np.array([0.90, 0.92, 0.91, 0.95]), np.array([0.92, 0.93, 0.95, 0.96])
    result = paired_difference(candidate - baseline)
    reference = stats.ttest_rel(candidate, baseline)
    bounds = reference.confidence_interval()
    assert result.p == pytest.approx(reference.pvalue)
    assert (result.low, result.high) == pytest.approx((bounds.low, bounds.high))


def test_paired_difference_pools_the_spread_within_data_sets():
    # two data sets, three seeds: means 0.02 and 0.00, pooled variance (2 * 1e-4 + 2 * 4e-4) / 4 = 2.5e-4
    differences = [0.01, 0.02, 0.03, -0.02, 0.00, 0.02]
    result = paired_difference(differences, ["a"] * 3 + ["b"] * 3)
    error = np.sqrt(2.5e-4 / 3 + 2.5e-4 / 3) / 2
    half = stats.t.ppf(0.975, 4) * error
    assert (result.mean, result.df) == (pytest.approx(0.01), 4)
    assert (result.low, result.high) == pytest.approx((0.01 - half, 0.01 + half))
    assert result.p == pytest.approx(2 * stats.t.sf(0.01 / error, 4))


def test_each_data_set_counts_alike_whatever_its_number_of_seeds():
    result = paired_difference([0.02, 0.04, 0.00, 0.01, -0.01, 0.00], ["a", "a", "b", "b", "b", "b"])
    assert result.mean == pytest.approx((0.03 + 0.0) / 2)


def test_differences_without_spread_prove_nothing():
    result = paired_difference([0.01, 0.01, 0.01])
    assert result.mean == pytest.approx(0.01)
    assert np.isnan([result.p, result.low, result.high]).all()
    assert np.isnan([t_interval([0.9, 0.9]).low, t_interval([0.9, 0.9]).high]).all()


def test_sign_flip_against_all_sign_patterns():
    differences = np.array([0.03, -0.01, 0.02, 0.05, 0.01])
    means = [np.mean(differences * signs) for signs in itertools.product([1, -1], repeat=5)]
    expected = np.mean(np.abs(means) >= abs(differences.mean()) - 1e-12)
    p, smallest = sign_flip(differences)
    assert p == pytest.approx(expected)
    assert smallest == 0.0625  # five seeds cannot give less: 2 of 32 patterns


def test_smallest_sign_flip_p_is_reached_when_all_differences_agree():
    assert sign_flip([0.01, 0.02, 0.03]) == (0.25, 0.25)


def test_mcnemar_is_the_binomial_test_of_the_discordant_images():
    baseline = np.array([1] * 50 + [1] * 2 + [0] * 9 + [0] * 5, bool)
    candidate = np.array([1] * 50 + [0] * 2 + [1] * 9 + [0] * 5, bool)
    only_baseline, only_candidate, p = mcnemar_exact(baseline, candidate)
    assert (only_baseline, only_candidate) == (2, 9)
    assert p == pytest.approx(stats.binomtest(2, 11, 0.5).pvalue)


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.04 times 3, 2, 1; never decreasing; the missing one does not count
    np.testing.assert_allclose(holm([0.04, np.nan, 0.01, 0.02]), [0.04, np.nan, 0.03, 0.04])


def test_wilson_interval_is_scipys():
    low, high = proportion_interval(7, 10)
    reference = stats.binomtest(7, 10).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((reference.low, reference.high))
    lows, highs = proportion_interval([7, 0], [10, 4])
    assert (lows[0], highs[0]) == pytest.approx((low, high))
