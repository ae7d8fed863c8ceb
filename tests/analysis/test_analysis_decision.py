"""What is recommended, and what a study of its size can show, against hand-made studies and statsmodels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated import fabricate
from scipy import stats
from statsmodels.stats.power import TTestPower

from trionet_bench.analysis.decision import decide, decide_by_dataset
from trionet_bench.analysis.power import next_command, resolution
from trionet_bench.analysis.results import Results, load
from trionet_bench.reporting.recommendation import recommendation

NOISE = np.array([[1, -1, 0, 0, 0], [0, 1, -1, 0, 0], [0, 0, 1, -1, 0], [-1, 0, 0, 1, 0]]) / 1000  # (models, seeds)


MODELS = ("conv", "local", "axial", "trionet")


def study(place: Path, *means: list[float], seeds: int = 5, margin: float | None = None) -> Results:
    """Four models with these means on one or two data sets, five seeds whose noise alone counts; conv is fastest, then
    local, axial, trionet.
    """
    datasets = ("digits", "flowers")[: len(means)]
    results = load(
        [fabricate(place, datasets=datasets, models=MODELS, budgets=(4_000_000,), seeds=tuple(range(5)), images=60,
                   side_files=False, evaluated=5, margin=margin)]
    )  # fmt: skip
    cells = results.cells
    for dataset, of_set in zip(datasets, means, strict=True):
        for model, mean, noise in zip(MODELS, of_set, NOISE, strict=True):
            cells.loc[(cells.model == model) & (cells.dataset == dataset), "test_top1"] = mean + noise
    cells["latency_s"] = 0.001 * (1 + cells.model.map(MODELS.index))
    return replace(results, cells=cells[cells.seed < seeds])


def half_width(values: np.ndarray, studentized_range: float = 4.199) -> float:
    """Tukey's, of a difference of two of (models, seeds) with 12 degrees of freedom; the range of four is a table's."""
    left = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    return float(studentized_range * np.sqrt((left**2).sum() / 12 / 5))


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


@pytest.mark.parametrize(
    ("margin", "taken", "reason", "near"),
    [
        (0.3, "conv", "the fastest", {"conv", "local", "trionet"}),  # conv is behind by 0.1 points and up to 0.25
        (0.2, "local", "the fastest", {"local", "trionet"}),  # by 0.02 and up to 0.17
        (0.1, "trionet", "the best mean", set()),
        (None, "conv", "the fastest", set()),
    ],
)
def test_of_a_tie_only_what_lies_within_the_margin_is_taken_for_its_speed(
    tmp_path: Path, margin: float | None, taken: str, reason: str, near: set[str]
):
    assert half_width(NOISE) == pytest.approx(0.0015, abs=1e-4)
    known = decide(study(tmp_path, [0.9, 0.9008, 0.8, 0.901], margin=margin))
    assert known is not None
    assert (known.taken, known.reason, set(known.near), known.behind) == (taken, reason, near, ("axial",))


def test_each_data_set_is_decided_by_itself_at_a_level_that_is_divided(tmp_path: Path):
    known = decide_by_dataset(study(tmp_path, [0.9, 0.8, 0.8, 0.95], [0.95, 0.9004, 0.9, 0.9]))
    assert [(name, of_set.kind, of_set.taken) for name, of_set in known.items()] == [
        ("digits", "winner", "trionet"),
        ("flowers", "winner", "conv"),
    ]
    at_half = stats.studentized_range.ppf(0.975, 4, 12)
    assert known["digits"].bound == pytest.approx(0.05 - half_width(NOISE, at_half), rel=2e-3)
    assert known["flowers"].bound == pytest.approx(0.0496 - half_width(NOISE, at_half), rel=2e-3)


def test_a_data_set_that_has_only_just_begun_does_not_hide_the_others(tmp_path: Path):
    results = study(tmp_path, [0.9, 0.89, 0.8, 0.95], [0.5, 0.5, 0.5, 0.5])
    cells = results.cells
    begun = (cells.dataset == "digits") | ((cells.model == "conv") & (cells.seed == 0))
    known = decide(replace(results, cells=cells[begun]))
    assert known is not None
    assert (known.datasets, known.kind, known.taken, known.partly) == (("digits",), "winner", "trionet", True)
    absent = decide(replace(results, cells=cells[cells.dataset == "digits"], datasets=("digits",)))
    assert absent is not None
    assert (absent.taken, absent.partly) == ("trionet", True)


def test_a_model_that_is_ahead_in_seeds_does_not_make_it_one_seed(tmp_path: Path):
    results = study(tmp_path, [0.9, 0.89, 0.8, 0.95])
    cells = results.cells
    known = decide(replace(results, cells=cells[(cells.model == "axial") | (cells.seed < 3)]))
    assert known is not None
    assert (known.kind, known.taken, known.partly) == ("winner", "trionet", True)


def test_one_model_is_alone_however_many_seeds_it_has(tmp_path: Path):
    results = study(tmp_path, [0.9, 0.89, 0.8, 0.95])
    alone = replace(results, cells=results.cells[results.cells.model == "conv"])
    known = decide(alone)
    assert known is not None
    assert (known.kind, known.taken, known.tied) == ("alone", "conv", ())
    assert ", conv is the only model with results: 90.0 %" in recommendation(alone)


def test_what_is_shown_is_corrected_for_comparisons_of_all_budgets(tmp_path: Path):
    both = fabricate(tmp_path, datasets=("digits",), models=MODELS, seeds=(0, 1, 2), side_files=False)  # two budgets
    shown = resolution(load([both]))
    assert shown is not None
    assert shown.tests == shown.declared == 2 * 3


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
