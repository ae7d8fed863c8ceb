"""What placement is worth and what scores know, on fabricated correlations whose answer is known."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fabricated import fabricate
from scipy import stats
from sklearn.linear_model import Ridge

from trionet_bench.analysis.ranking_power import (
    ceiling,
    predicted,
    repeated,
    score_table,
    truths,
    worth_interval,
    worth_of_placement,
)
from trionet_bench.analysis.results import Results, load
from trionet_bench.analysis.supernet_differences import supernet_differences
from trionet_bench.records.record import Record


def correlation(
    folder: Path, truths: Sequence[np.ndarray], inherited: np.ndarray, macs: np.ndarray, seeds: tuple[int, ...] = (0,)
) -> Results:
    """One supernet a seed; ``truths`` are the runs of every network, (runs, networks)."""
    runs = np.stack(truths)
    study = fabricate(
        folder, datasets=("digits",), models=("trionet",), seeds=seeds, budgets=(4_000_000,), side_files=False
    )
    for path in study.rglob("record.json"):
        value = json.loads(path.read_text())
        for name in ("architecture", "macs", "params", "search"):
            value[name] = None
        value |= {"system": "correlation", "metrics": {}, "placement": [], "macs_by_operator": {}, "macs_by_stage": {}}
        value["ranked"] = [
            {
                "architecture": {"number": n}, "macs": int(macs[n]), "params": 1000 + n, "operators": "cl"[n % 2] + "a",
                "val": float(runs[:, n].mean()), "val_sd": float(runs[:, n].std(ddof=1)), "runs": len(runs),
                "alone": [float(value) for value in runs[:, n]],
                "inherited_val": float(inherited[n]), "inherited_val_not_recalibrated": 0.1,
            }
            for n in range(runs.shape[1])
        ]  # fmt: skip
        path.write_text(Record.model_validate(value).model_dump_json(by_alias=True, exclude={"digest"}))
    suite = json.loads((study / "suite.json").read_text())
    (study / "suite.json").write_text(json.dumps(suite | {"comparisons": []}))
    return load([study])


def drawn(spread: float, noise: float, networks: int, runs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True values of networks, and runs of them."""
    generator = np.random.default_rng(seed)
    true = 0.6 + spread * generator.standard_normal(networks)
    return true, true + noise * generator.standard_normal((runs, networks))


def test_worth_is_the_variance_between_networks_less_that_of_their_means(tmp_path: Path):
    true, runs = drawn(0.02, 0.01, 60, 4)
    row = worth_of_placement(correlation(tmp_path, [*runs], true, 1000 + np.arange(60))).iloc[0]
    observed = np.var(runs.mean(0), ddof=1)
    noise = np.mean(np.var(runs, axis=0, ddof=1))
    assert row.observed == pytest.approx(math.sqrt(observed))
    assert row.noise == pytest.approx(math.sqrt(noise))
    assert row.worth == pytest.approx(math.sqrt(observed - noise / 4))
    assert (row.networks, row.runs) == (60, 4)
    assert row.low < 0.02 < row.high


@pytest.mark.parametrize(
    ("spread", "noise", "networks", "runs"), [(1, 1, 10, 2), (1, 1, 30, 4), (0, 1, 30, 4), (3, 1, 16, 2)]
)
def test_interval_of_worth_holds_the_true_value_as_often_as_it_says(
    spread: float, noise: float, networks: int, runs: int
):
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        true = spread * generator.standard_normal(networks)
        values = true + noise * generator.standard_normal((runs, networks))
        observed, one = np.var(values.mean(0), ddof=1), np.mean(np.var(values, axis=0, ddof=1))
        low, worth, high = worth_interval(observed, one, networks, runs)
        assert low <= worth <= high
        held += low <= spread <= high
    # at spread 0 the lower end is 0 in nearly all, so that only the upper end could miss
    assert held / 2000 == pytest.approx(0.95, abs=0.02 if spread else 0.05)


@pytest.mark.parametrize(("spread", "noise", "runs"), [(1.0, 1.0, 1), (1.0, 1.0, 4), (0.5, 1.0, 2), (1.0, 0.0, 1)])
def test_ceiling_is_what_a_perfect_score_reaches(spread: float, noise: float, runs: int):
    generator = np.random.default_rng(0)
    true = spread * generator.standard_normal(4000)
    truth = true + noise / math.sqrt(runs) * generator.standard_normal(4000)
    assert ceiling(spread, noise, runs) == pytest.approx(stats.kendalltau(true, truth).statistic, abs=0.02)


def test_nothing_can_be_ranked_where_nothing_differs():
    assert ceiling(0.0, 1.0, 4) == 0.0
    assert ceiling(0.0, 0.0, 4) == 0.0


def test_scores_are_judged_for_each_supernet_beside_macs(tmp_path: Path):
    generator = np.random.default_rng(1)
    true, runs = drawn(0.02, 0.005, 30, 4)
    inherited = true + 0.01 * generator.standard_normal(30)
    macs = 10**6 + generator.integers(10**5, size=30)
    table = score_table(correlation(tmp_path, [*runs], inherited, macs, seeds=(0, 1)))
    assert set(table.seed) == {0, 1}
    of_one = table[table.seed == 0].set_index("score")
    assert [*of_one.index] == ["inherited", "MACs", "parameters", "share of conv", "share of local", "predictor"]
    truth = runs.mean(0)
    for score, values in (("inherited", inherited), ("MACs", macs), ("parameters", np.arange(30))):
        assert of_one.tau[score] == pytest.approx(stats.kendalltau(values, truth).statistic)
        assert of_one.low[score] < of_one.tau[score] < of_one.high[score]
        assert of_one.ahead[score] == pytest.approx(of_one.tau[score] - of_one.tau["MACs"])
        assert of_one.regret[score] == pytest.approx(truth.max() - truth[np.argmax(values)])
    assert of_one.ahead_low["inherited"] > 0  # it knows, and MACs do not
    assert (of_one.ahead["MACs"], of_one.ahead_low["MACs"], of_one.ahead_high["MACs"]) == (0, 0, 0)
    assert 0.8 < of_one.ceiling["inherited"] < 1


def test_networks_that_were_trained_once_have_neither_worth_nor_ceiling(tmp_path: Path):
    true, runs = drawn(0.02, 0.005, 12, 2)
    results = correlation(tmp_path, [*runs], true, 1000 + np.arange(12))
    once = load([tmp_path])
    once.ranked["val_top1_sd"] = None
    assert worth_of_placement(once).empty
    assert score_table(once).ceiling.isna().all()
    assert not score_table(results).ceiling.isna().any()


def test_truth_is_repeated_by_the_halves_of_its_runs():
    alone = np.array([[1.0, 2.0, 9.0, 4.0], [2.0, 1.0, 3.0, 3.0], [5.0, 7.0, 2.0, 1.0]])
    halves = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
    by_hand = [stats.kendalltau(alone[:, one].mean(1), alone[:, other].mean(1)).statistic for one, other in halves]
    assert repeated(alone) == pytest.approx(np.mean(by_hand))
    assert repeated(alone[:, :2]) == pytest.approx(stats.kendalltau(alone[:, 0], alone[:, 1]).statistic)
    assert math.isnan(repeated(alone[:, :1]))


@pytest.mark.parametrize("two_groups", [False, True])
def test_a_score_without_error_exceeds_the_repeated_truth(two_groups: bool):
    generator = np.random.default_rng(2)
    true = generator.integers(2, size=300).astype(float) if two_groups else generator.standard_normal(300)
    alone = true[:, None] + 0.5 * generator.standard_normal((300, 4))
    perfect = stats.kendalltau(true + 1e-6 * generator.standard_normal(300), alone.mean(1)).statistic
    assert 0.3 < repeated(alone) < perfect


def test_predictor_sees_all_networks_but_the_one_that_it_predicts(tmp_path: Path):
    true, runs = drawn(0.02, 0.005, 12, 2)
    results = correlation(tmp_path, [*runs], true[::-1].copy(), 10**6 + np.arange(12) ** 2 * 1000)
    group = truths(results)
    values = predicted(group)
    shares = group.operators.map(lambda text: text.count("c") / 2)
    features = np.column_stack([group.inherited, np.log(group.macs), shares, 0.5 - shares])
    for out in (0, 7):
        others = np.arange(12) != out
        mean, deviation = features[others].mean(0), features[others].std(0)
        scaled = (features - mean) / deviation
        fits = [Ridge(alpha).fit(scaled[others], group.truth[others]) for alpha in np.logspace(-2, 3, 11)]
        assert np.abs([fit.predict(scaled[[out]])[0] - values[out] for fit in fits]).min() < 1e-9


def test_supernets_are_compared_on_the_networks_that_they_share(tmp_path: Path):
    true, runs = drawn(0.02, 0.002, 30, 4)
    noisy = true + 0.03 * np.random.default_rng(3).standard_normal(30)
    results = correlation(tmp_path, [*runs], noisy, 10**6 + np.arange(30), seeds=(0, 1))
    (alone,) = supernet_differences(results).itertuples()  # there is one supernet only
    assert (alone.model, alone.baseline) == ("trionet", "MACs")
    better = results.ranked.assign(model="better", inherited_val_top1=np.tile(true, 2))
    both = dataclasses.replace(results, models=("trionet", "better"), ranked=pd.concat([results.ranked, better]))
    table = supernet_differences(both)
    assert [*zip(table.model, table.baseline, strict=True)] == [
        ("trionet", "MACs"),
        ("better", "MACs"),
        ("better", "trionet"),
    ]
    row = table.iloc[2]
    truth = runs.mean(0)
    first, second = (stats.kendalltau(score, truth).statistic for score in (noisy, true))
    assert (row.model, row.baseline, row.networks, row.seeds) == ("better", "trionet", 30, 2)
    assert row.tau == pytest.approx(second)
    assert row.ahead == pytest.approx(second - first)
    assert row.low < row.ahead < row.high and row.low > 0
    macs = both.ranked[(both.ranked.model == "better") & (both.ranked.seed == 0)].macs
    assert table.ahead[1] == pytest.approx(second - stats.kendalltau(macs, truth).statistic)
    assert row.regret_less == pytest.approx(truth[np.argmax(true)] - truth[np.argmax(noisy)])
    changed = both.ranked.assign(architecture=[*both.ranked.architecture[:60], *both.ranked.architecture[60:][::-1]])
    left = supernet_differences(dataclasses.replace(both, ranked=changed))  # other networks: supernets are not paired
    assert "trionet" not in set(left.baseline)
