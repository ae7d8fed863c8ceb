from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.tasks import CLASSIFICATION

from trionet_bench.analysis.ranking import agreement, mean_ranks, resampled
from trionet_bench.analysis.results import Declared, Results


def test_resampled_correlations_are_scipys():
    generator = np.random.default_rng(0)
    a = np.round(generator.random(25), 1)  # with ties
    b = np.round(a + generator.normal(0, 0.3, 25), 1)
    counts = generator.multinomial(25, np.full(25, 1 / 25), 6)
    tau, rho = resampled(a, b, counts)
    for row, count in enumerate(counts):
        chosen = np.repeat(np.arange(25), count)
        assert tau[row] == pytest.approx(stats.kendalltau(a[chosen], b[chosen]).statistic)
        assert rho[row] == pytest.approx(stats.spearmanr(a[chosen], b[chosen]).statistic)


def test_bootstrap_interval_is_about_scipys():
    generator = np.random.default_rng(2)
    a = generator.random(40)
    b = a + generator.normal(0, 0.3, 40)
    result = agreement(a, b, np.arange(40))
    reference = stats.bootstrap(
        (a, b), lambda x, y: stats.kendalltau(x, y).statistic, paired=True, vectorized=False, n_resamples=999,
        method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    assert (result.tau_low, result.tau_high) == pytest.approx((reference.low, reference.high), abs=0.03)


def test_agreement_that_merely_follows_size_is_shown_as_such():
    # accuracy rises with MACs in both, but within equal sizes the order is reversed
    macs = np.repeat([1, 2, 3], 10)
    score = 10 * macs + np.tile(np.arange(10), 3)
    value = 10 * macs - np.tile(np.arange(10), 3)
    result = agreement(score, value, macs)
    assert result.tau > 0.3
    assert result.tau_within == pytest.approx(-1)


def test_regret_is_what_the_first_choice_loses():
    assert agreement([1, 3, 2], [0.9, 0.7, 0.8], [1, 1, 1]).regret == pytest.approx(0.2)


def test_no_interval_below_ten_architectures():
    result = agreement(np.arange(9), np.arange(9), np.arange(9))
    assert result.tau == 1
    assert np.isnan([result.tau_low, result.rho_low, result.tau_within]).all()


def suite(accuracies: np.ndarray) -> Results:
    """One seed of three models on as many data sets as ``accuracies`` has rows."""
    models = ["conv", "local", "axial"]
    rows = [
        SimpleNamespace(
            dataset=f"d{d}", budget=1, model=m, seed=0, test_top1=accuracies[d, i], status="complete", error=""
        )
        for d in range(len(accuracies))
        for i, m in enumerate(models)
    ]
    cells = pd.DataFrame([vars(row) for row in rows]).assign(
        macs=1, params=1, evaluated=100, fidelity="full", doubtful=False, source="folder:photos"
    )
    empty = pd.DataFrame()
    declared = Declared(("made-up",), ("Made up",), (), cells[["dataset", "budget", "model", "seed"]])
    return Results(
        declared,
        CLASSIFICATION,
        cells,
        empty,
        empty,
        empty,
        empty,
        empty,
        models=tuple(models),
        datasets=tuple(cells.dataset.unique()),
    )


def test_mean_ranks_of_eight_data_sets():
    posthocs = pytest.importorskip("scikit_posthocs")
    accuracies = np.random.default_rng(0).random((8, 3)) / 2 + [0.0, 0.15, 0.45]
    result = mean_ranks(suite(accuracies))
    assert not isinstance(result, str)
    expected = stats.rankdata(-accuracies, axis=1).mean(axis=0)
    assert result.ranks.tolist() == pytest.approx(expected)
    assert result.friedman_p == pytest.approx(stats.friedmanchisquare(*accuracies.T).pvalue)
    # Nemenyi: the studentized range over sqrt(2), for the first and the last model
    statistic = abs(expected[0] - expected[2]) / np.sqrt(3 * 4 / (6 * 8)) * np.sqrt(2)
    assert result.nemenyi_p.loc["conv", "axial"] == pytest.approx(
        stats.studentized_range.sf(statistic, 3, np.inf), abs=1e-4
    )
    assert posthocs is not None


def test_controls_are_not_ranked():
    results = suite(np.random.default_rng(0).random((8, 3)))
    results.cells.loc[results.cells.dataset == "d7", "source"] = "synthetic:match"
    assert "needs 8 data sets, here are 7" in str(mean_ranks(results))


def test_fewer_than_eight_data_sets_are_refused_in_words():
    reason = mean_ranks(suite(np.random.default_rng(0).random((5, 3))))
    assert reason == (
        "No critical-difference diagram: it needs 8 data sets, here are 5; "
        "with 5 the smallest two-sided p of a signed-rank test is 0.0625."
    )
