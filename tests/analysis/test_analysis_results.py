import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated import fabricate
from scipy import stats
from statsmodels.formula.api import ols

from trionet_bench.analysis.comparisons import compare
from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.results import load
from trionet_bench.analysis.statistics import holm, t_interval
from trionet_bench.analysis.summary import by_seed, mark_leaders, summarise
from trionet_bench.errors import UsageError

SMALL = {"datasets": ("digits",), "budgets": (4_000_000,), "images": 60, "side_files": False, "evaluated": 5}


def test_every_expected_cell_has_a_status(made_up: Path):
    status = load([made_up]).coverage().status.value_counts()
    assert status.to_dict() == {"complete": 88, "failed": 1, "missing": 1}


def test_group_without_all_seeds_is_incomplete(made_up: Path):
    table = summarise(load([made_up])).set_index(["dataset", "budget", "model"])
    row = table.loc[("textures", 4_000_000, "local")]
    assert (row.expected, row.done, row.complete) == (3, 2, False)
    assert row.shown  # the third seed was not run yet
    failed = table.loc[("flowers", 8_000_000, "axial")]
    assert (failed.failed, failed.shown) == (1, False)
    assert table.complete.sum() == 28


def test_summary_is_the_t_interval_of_seeds_and_images(made_up: Path):
    results = load([made_up])
    cells = results.complete
    own = cells[(cells.dataset == "digits") & (cells.budget == 4_000_000) & (cells.model == "conv")]
    stored = [np.load(folder / "predictions.npz") for folder in own.folder]
    right = np.array([arrays["labels"] == arrays["predictions"] for arrays in stored], float)  # (3 seeds, 400 images)
    by_seeds = right.mean(axis=1).var(ddof=1) / 3
    with_four = [*right.mean(axis=0), 1, 1, 0, 0]
    by_images = np.var(with_four, ddof=1) / 404
    left = right - right.mean(axis=0) - right.mean(axis=1, keepdims=True) + right.mean()
    both = (left**2).sum() / (2 * 399) / 1200
    variance = max(by_seeds, by_images, by_seeds + by_images - both)
    df = variance**2 / (by_seeds**2 / 2 + by_images**2 / 403)
    half = stats.t.ppf(0.975, df) * np.sqrt(variance)
    row = summarise(results).iloc[0]
    assert (row.dataset, row.model, row.interval) == ("digits", "conv", "crossed")
    mean = own.test_top1.mean()
    assert [row["mean"], row.sd, row.low, row.high] == pytest.approx(
        [mean, own.test_top1.std(), mean - half, mean + half]
    )


def test_one_seed_gets_an_interval_over_test_images(tmp_path: Path):
    row = summarise(load([fabricate(tmp_path, seeds=(0,), **SMALL | {"datasets": ("textures",)})])).iloc[0]
    assert row.interval == "test-set"
    assert row.low < row["mean"] < row.high <= 1


def test_marks_put_the_best_first_and_share_them_among_ties(tmp_path: Path):
    results = load([fabricate(tmp_path, seeds=(0, 1, 2), models=("conv", "local", "axial", "trionet"), **SMALL)])
    accuracies = {  # the first two cannot be told apart, nor the last two
        "conv": [0.90, 0.92, 0.94],
        "local": [0.92, 0.91, 0.945],
        "axial": [0.80, 0.82, 0.84],
        "trionet": [0.805, 0.83, 0.83],
    }
    for model, values in accuracies.items():
        results.cells.loc[results.cells.model == model, "test_top1"] = values
    table = summarise(results)
    assert dict(zip(table.model, mark_leaders(results), strict=True)) == {
        "conv": "best", "local": "best", "axial": "second", "trionet": "second"
    }  # fmt: skip


def test_missing_cell_is_missing_seed_by_seed(made_up: Path):
    table = by_seed(load([made_up])).set_index(["dataset", "budget", "model"])
    assert np.isnan(table.loc[("textures", 4_000_000, "local"), 2])
    assert table[[0, 1, 2]].isna().sum().sum() == 2


def test_comparison_is_paired_by_data_set_and_seed(tmp_path: Path):
    failed, missing = ("flowers", "axial", 8_000_000, 1), ("textures", "local", 4_000_000, 2)
    folder = fabricate(tmp_path, side_files=False, failed=(failed,), missing=(missing,))  # seeds alone
    results = load([folder])
    table = compare(results)
    row = table[(table.candidate == "trionet") & (table.baseline == "conv") & (table.budget == 8_000_000)].iloc[0]
    wide = results.complete.pivot(index=CELL[:2] + CELL[3:], columns="model", values="test_top1").xs(
        8_000_000, level="budget"
    )
    differences = wide.trionet - wide.conv
    assert (row.dataset, row.pairs) == ("all", 9)
    assert row["mean"] == pytest.approx(differences.mean())
    left = wide.stack().rename("value").reset_index()
    left = left[left.groupby(["dataset", "model"]).value.transform("count") == 3]  # one model lacks a seed
    fits = [ols("value ~ C(model) + C(seed)", of_set).fit() for _, of_set in left.groupby("dataset")]
    df = sum(fit.df_resid for fit in fits)
    half = stats.t.ppf(0.975, df) * np.sqrt(sum(fit.ssr for fit in fits) / df * 2 / 9)  # nine pairs in three data sets
    assert row.df == df == (4 + 4 + 3) * 2  # models - 1 of each data set, seeds - 1
    assert (row.low, row.high) == pytest.approx((differences.mean() - half, differences.mean() + half))
    within = differences.groupby("dataset").var().mean()
    alone = stats.t.ppf(0.975, 6) * np.sqrt(within / 9)  # the two models alone: two degrees of freedom a data set
    assert (row.pair_low, row.pair_high) == pytest.approx((differences.mean() - alone, differences.mean() + alone))
    across = t_interval(differences.groupby("dataset").mean().to_numpy())
    assert (row.new_low, row.new_high) == pytest.approx((across.low, across.high))


def test_holm_runs_over_declared_comparisons_only(made_up: Path):
    table = compare(load([made_up]))
    family = table[table.declared.astype(bool)]
    assert len(family) == 8  # three candidates against conv and one against random, at two budgets
    np.testing.assert_allclose(family.p_holm.to_numpy(float), holm(family.p.tolist()))
    assert table[~table.declared.astype(bool)].p_holm.isna().all()
    assert (table[~table.declared.astype(bool)].verdict == "").all()


def test_comparison_without_all_pairs_has_an_interval_and_no_verdict(made_up: Path):
    table = compare(load([made_up])).set_index(["candidate", "budget", "dataset"])
    row = table.loc[("local", 4_000_000, "all")]
    assert row.low < row["mean"] < row.high
    assert np.isnan([row.p, row.p_holm]).all()
    assert row.verdict == "incomplete: 8 of 9 pairs"
    failed = table.loc[("axial", 8_000_000, "all")]  # one of its cells failed: no mean over the rest
    assert np.isnan([failed["mean"], failed.low, failed.p]).all()


def test_one_seed_has_the_interval_of_its_images_and_no_verdict(tmp_path: Path):
    folder = fabricate(tmp_path, models=("conv", "axial"), seeds=(0,), **SMALL | {"side_files": True, "epochs": 1})
    row = compare(load([folder])).iloc[0]
    right = {}
    for model in ("conv", "axial"):
        arrays = np.load(folder / f"digits/{model}/4M-s0/predictions.npz")
        right[model] = (arrays["labels"] == arrays["predictions"]).astype(float)
    differences = [*(right["axial"] - right["conv"]), 1, -1]
    half = stats.t.ppf(0.975, 61) * np.std(differences, ddof=1) / np.sqrt(62)
    mean = (right["axial"] - right["conv"]).mean()
    assert (row["mean"], row.low, row.high) == pytest.approx((mean, mean - half, mean + half))
    assert np.isnan(row.p)
    assert row.verdict == "undecided: one seed"


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        ([0.030, 0.031, 0.032, 0.029], "better"),
        ([-0.030, -0.031, -0.032, -0.029], "worse"),
        ([-0.004, -0.005, -0.006, -0.005], "worse, within the margin"),
        ([-0.002, 0.003, 0.001, -0.001], "matches"),
        ([-0.030, 0.020, 0.010, -0.020], "undecided"),
        ([0.01, 0.01, 0.01, 0.01], "undecided: no spread"),
    ],
)
def test_verdicts_against_a_margin_of_one_point(tmp_path: Path, difference: list[float], verdict: str):
    results = load([fabricate(tmp_path, models=("conv", "axial"), seeds=(0, 1, 2, 3), **SMALL)])
    results.cells.loc[results.cells.model == "conv", "test_top1"] = 0.9
    results.cells.loc[results.cells.model == "axial", "test_top1"] = 0.9 + np.array(difference)
    assert compare(results).verdict.tolist() == [verdict]


def test_without_a_suite_file_the_grid_of_the_records_is_expected(tmp_path: Path):
    folder = fabricate(tmp_path, models=("conv", "local"), missing=(("digits", "local", 4_000_000, 1),), **SMALL)
    (folder / "suite.json").unlink()
    results = load([folder])
    assert not results.declared.from_suite
    assert results.coverage().status.value_counts().to_dict() == {"complete": 5, "missing": 1}


def test_records_that_the_suite_no_longer_asks_for_are_left_out(tmp_path: Path):
    folder = fabricate(tmp_path, models=("conv", "local"), **SMALL)
    declared = json.loads((folder / "suite.json").read_text())
    declared["expected"] = [cell for cell in declared["expected"] if cell["model"] == "conv"]
    results = load([folder], declared)
    assert (len(results.cells), results.outside) == (3, 3)


def test_stale_keys_are_left_out_where_the_suite_knows_its_keys(tmp_path: Path):
    folder = fabricate(tmp_path, models=("conv",), **SMALL)
    declared = json.loads((folder / "suite.json").read_text())
    keys = load([folder]).cells.set_index("seed").key
    declared["expected"] = [
        cell | {"key": keys[cell["seed"]] if cell["seed"] else "0" * 64} for cell in declared["expected"]
    ]
    assert load([folder], declared).coverage().set_index("seed").status.to_dict() == {
        0: "missing", 1: "complete", 2: "complete"
    }  # fmt: skip


def test_suites_with_one_recipe_merge(tmp_path: Path):
    first = fabricate(tmp_path, name="first", models=("conv", "local"), **SMALL)
    second = fabricate(tmp_path, name="second", models=("axial", "trionet"), **SMALL)
    results = load([first, second])
    assert results.models == ("conv", "local", "axial", "trionet")
    assert results.declared.names == ("first", "second")
    assert (results.coverage().status == "complete").all()


def test_another_recipe_is_refused_by_name(tmp_path: Path):
    first = fabricate(tmp_path, name="first", models=("conv",), **SMALL)
    second = fabricate(tmp_path, name="second", models=("axial",), recipe={"epochs": 90, "batch": 32}, **SMALL)
    with pytest.raises(UsageError, match="recipe batch is 64 against 32, recipe epochs is 20 against 90"):
        load([first, second])


def test_other_images_under_one_name_are_refused(tmp_path: Path):
    first = fabricate(tmp_path, name="first", models=("conv",), **SMALL)
    second = fabricate(tmp_path, name="second", models=("axial",), **SMALL)
    for path in second.rglob("record.json"):
        path.write_text(path.read_text().replace("digits0000", "digits1111"))
    with pytest.raises(UsageError, match="data set digits: its images differ"):
        load([first, second])


def test_other_options_under_one_name_are_refused(tmp_path: Path):
    first = fabricate(tmp_path, name="first", models=("trionet",), seeds=(0,), **SMALL)
    second = fabricate(
        tmp_path, name="second", models=("trionet",), seeds=(1,), options={"trionet": {"sampler": "uniform"}}, **SMALL
    )
    with pytest.raises(UsageError, match="options sampler is hierarchical against uniform"):
        load([first, second])


def test_one_cell_with_two_keys_is_refused(tmp_path: Path):
    first = fabricate(tmp_path, name="first", models=("conv",), seeds=(0,), **SMALL)
    second = fabricate(tmp_path, name="second", models=("conv",), seeds=(0,), **SMALL)
    with pytest.raises(UsageError, match="digits/conv, budget 4000000, seed 0 is there twice and not the same"):
        load([first, second])


def test_smoke_runs_do_not_mix_with_full_ones(tmp_path: Path):
    first = fabricate(tmp_path, name="first", models=("conv",), **SMALL)
    second = fabricate(tmp_path, name="second", models=("axial",), fidelity="smoke", **SMALL)
    with pytest.raises(UsageError, match="is a smoke run"):
        load([first, second])


def test_a_folder_without_records_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="No record under"):
        load([tmp_path])


def test_a_data_set_of_several_is_compared_by_its_own_error(tmp_path: Path):
    results = load([fabricate(tmp_path, **SMALL | {"datasets": ("digits", "flowers")})])
    cells = results.cells
    noisy = (cells.dataset == "flowers") & (cells.model != "conv")
    cells.loc[noisy, "test_top1"] += np.random.default_rng(0).normal(0, 0.05, noisy.sum())
    of_sets = compare(results).set_index(["candidate", "baseline", "dataset"])
    for name in results.datasets:
        alone = replace(results, cells=cells[cells.dataset == name], datasets=(name,))
        expected = replace(results.declared, expected=results.declared.expected.query("dataset == @name"))
        row = compare(replace(alone, declared=expected)).set_index(["candidate", "baseline"]).loc[("axial", "conv")]
        together = of_sets.loc[("axial", "conv", name)]
        assert together[["mean", "low", "high", "df"]].tolist() == row[["mean", "low", "high", "df"]].tolist()
