"""What is recommended, and what a study of its size can show, against hand-made studies and statsmodels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated import fabricate
from scipy import stats
from statsmodels.stats.power import TTestPower

from trionet_bench.analysis.decision import decide
from trionet_bench.analysis.power import next_command, resolution
from trionet_bench.analysis.results import Results, load

NOISE = np.array([[1, -1, 0, 0, 0], [0, 1, -1, 0, 0], [0, 0, 1, -1, 0], [-1, 0, 0, 1, 0]]) / 1000  # (models, seeds)


def study(place: Path, means: list[float], seeds: int = 5) -> Results:
    """Four models with these means over five seeds, of seeds alone; conv is fastest, then local, axial, trionet."""
    models = ("conv", "local", "axial", "trionet")
    results = load(
        [fabricate(place, datasets=("digits",), models=models, budgets=(4_000_000,), seeds=tuple(range(5)), images=60,
                   side_files=False, evaluated=5)]
    )  # fmt: skip
    for model, mean, noise in zip(models, means, NOISE, strict=True):
        results.cells.loc[results.cells.model == model, "test_top1"] = mean + noise
        results.cells.loc[results.cells.model == model, "latency_s"] = 0.001 * (1 + models.index(model))
    return replace(results, cells=results.cells[results.cells.seed < seeds])


def half_width(values: np.ndarray) -> float:
    """Tukey's, of a difference of two of (models, seeds): 12 degrees of freedom, its range from a table is 4.20."""
    left = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    return float(4.199 * np.sqrt((left**2).sum() / 12 / 5))


def test_the_best_of_a_tie_is_no_winner_and_the_fastest_is_taken(tmp_path: Path):
    known = decide(study(tmp_path, [0.9, 0.9004, 0.8, 0.9002]))
    assert known is not None
    assert (known.kind, known.best, known.taken) == ("tie", "local", "conv")
    assert (set(known.tied), known.behind, known.reason) == ({"local", "trionet"}, ("axial",), "the fastest")
    assert known.bound == pytest.approx(0.0004 + half_width(NOISE), rel=2e-3)  # how far local may be ahead of conv


def test_a_winner_leads_every_other_by_its_bound(tmp_path: Path):
    known = decide(study(tmp_path, [0.9, 0.89, 0.8, 0.95]))
    assert known is not None
    assert (known.kind, known.taken, known.tied) == ("winner", "trionet", ())
    assert known.bound == pytest.approx(0.05 - half_width(NOISE), rel=2e-3)


def test_equal_models_are_all_tied_whatever_their_order(tmp_path: Path):
    known = decide(study(tmp_path, [0.9, 0.9001, 0.9, 0.9]))
    assert known is not None
    assert known.p > 0.05
    assert (known.taken, len(known.tied)) == ("conv", 3)


def test_why_one_of_a_tie_is_taken(tmp_path: Path):
    results = study(tmp_path, [0.9, 0.9001, 0.9, 0.9])
    cells = results.cells
    close = decide(replace(results, cells=cells.assign(latency_s=0.001)))
    untimed = decide(replace(results, cells=cells.assign(latency_s=np.nan)))
    dear = cells.macs.where(cells.model != "local", 1.0)
    fewest = decide(replace(results, cells=cells.assign(latency_s=np.nan, macs=dear)))
    assert close is not None and untimed is not None and fewest is not None
    assert close.reason == "one of the fastest"
    assert (untimed.taken, untimed.reason) == ("conv", "that of fewest MACs")  # local and axial need no search either
    assert (fewest.taken, fewest.reason) == ("local", "that of fewest MACs")


def test_one_seed_recommends_nothing_and_says_that_more_is_asked_for(tmp_path: Path):
    results = study(tmp_path, [0.9, 0.89, 0.8, 0.95], seeds=1)
    known = decide(results)
    assert known is not None
    assert (known.kind, known.best, known.partly) == ("one seed", "trionet", True)
    shown = resolution(results)
    assert shown is not None
    assert np.isnan(shown.shows)


def test_what_seeds_show_is_the_power_of_the_t_test(tmp_path: Path):
    results = study(tmp_path, [0.9, 0.89, 0.8, 0.95])
    known = resolution(results)
    assert known is not None
    assert (known.seeds, known.tests, known.declared) == (5, 3, 3)
    left = NOISE - NOISE.mean(0) - NOISE.mean(1, keepdims=True) + NOISE.mean()
    error = np.sqrt((left**2).sum() / 12 * 2 / 5)
    limit = stats.t.isf(0.05 / 3 / 2, 12)
    assert stats.nct.sf(limit, 12, known.shows / error) == pytest.approx(0.8, abs=1e-3)
    assert known.observed == pytest.approx(0.15)


def test_power_of_two_models_is_that_of_statsmodels(tmp_path: Path):
    results = study(tmp_path, [0.9, 0.89, 0.8, 0.95])
    known = resolution(replace(results, cells=results.cells[results.cells.model.isin(["conv", "axial"])]))
    assert known is not None
    differences = NOISE[2] - NOISE[0]
    effect = TTestPower().solve_power(nobs=5, alpha=0.05 / known.tests, power=0.8)
    assert known.shows == pytest.approx(effect * differences.std(ddof=1), rel=1e-3)


def test_the_next_command_is_that_of_the_records_for_more_seeds(tmp_path: Path):
    results = study(tmp_path, [0.9, 0.89, 0.8, 0.95])
    results.cells["command"] = "trionet-bench run photos --data-root data --seeds 3 --only seed=0 --force --jobs=2"
    assert next_command(results, 9) == "trionet-bench run photos --data-root data --jobs=2 --seeds 9"
    results.cells["command"] = "pytest"
    assert next_command(results, 9) == "trionet-bench run made-up --seeds 9"
