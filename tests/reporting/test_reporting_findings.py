"""What figures say of themselves, and when they are left out, on studies whose answer is written into the records."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated import fabricate

from trionet_bench.analysis.results import Results, load
from trionet_bench.reporting.figures import FIGURES
from trionet_bench.reporting.figures.figure import Drawing, LeftOut
from trionet_bench.reporting.figures.placement import leading_searches
from trionet_bench.reporting.style import STYLES, drawn_in

KINDS = {kind.name: kind for kind in FIGURES}
MODELS = ("conv", "trionet", "other", "random")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = {"datasets": ("digits", "flowers"), "budgets": (4_000_000,), "seeds": (0, 1), "epochs": 3, "images": 100}
    return fabricate(tmp_path_factory.mktemp("findings"), models=MODELS, **sizes)


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return load([folder])


def built(results: Results, name: str) -> Drawing | LeftOut | None:
    with drawn_in(STYLES["paper"]):
        return KINDS[name].build(results, STYLES["paper"])


def reason(results: Results, name: str) -> str:
    found = built(results, name)
    assert isinstance(found, LeftOut)
    return found.reason


def alt(results: Results, name: str) -> str:
    found = built(results, name)
    assert isinstance(found, Drawing)
    return found.alt


def test_the_first_figure_names_the_best_and_what_it_costs_least(results: Results):
    cells = results.cells
    first = cells.model == "trionet"
    best = replace(results, cells=cells.assign(test_top1=0.5 + 0.4 * first, latency_s=2.0 - first))
    assert alt(best, "cost") == "Trionet has the highest mean accuracy of 4 models and the lowest latency."
    assert alt(best, "accuracy_macs").startswith("Trionet is on the front of accuracy against MACs on 2 of 2 data")


def test_a_single_point_is_no_figure(results: Results):
    cells = results.cells
    one = replace(results, cells=cells[cells.model == "conv"])
    assert reason(one, "cost") == "conv is the only model that has results on all data sets, a single point"
    assert reason(one, "accuracy_macs") == "each data set has a single point"
    none = replace(results, cells=cells[(cells.dataset == "digits") == cells.model.isin(["conv", "other"])])
    assert reason(none, "cost") == "no model has results on all data sets yet"


def test_parameters_are_drawn_where_they_are_no_multiple_of_macs(results: Results):
    assert reason(results, "accuracy_params").startswith("parameters are in proportion to MACs")
    cells = results.cells
    other = replace(results, cells=cells.assign(params=cells.params * np.where(cells.model == "conv", 2, 1)))
    assert isinstance(built(other, "accuracy_params"), Drawing)


def test_a_search_that_finds_nothing_better_has_no_curve(results: Results):
    assert alt(results, "search_progress").endswith("data sets.")
    still = replace(results, generations=results.generations.assign(best_fitness=0.5))
    assert reason(still, "search_progress") == "no search found a better candidate than its first"


def test_networks_of_one_operator_are_not_said_to_be_placed(results: Results):
    assert leading_searches(results) == ["trionet", "other"]
    priors = results.priors
    alone = priors[(priors.model != "other") | (priors.operator == "conv")]
    assert leading_searches(replace(results, priors=alone)) == ["trionet"]


def test_classes_that_differ_by_an_image_are_left_out(folder: Path, tmp_path: Path):
    place = fabricate(tmp_path, datasets=("digits",), models=MODELS, budgets=(4_000_000,), seeds=(0, 1), images=100)
    labels = np.arange(100) % 10
    for path in place.rglob("predictions.npz"):
        predictions = labels.copy()
        predictions[:1] = 9 if "trionet" in str(path) else labels[0]  # one image of ten of its class
        np.savez(path, labels=labels, predictions=predictions)
    assert reason(load([place]), "class_differences") == "no class differs by more than one test image"
    assert "points, and least on" in alt(load([folder]), "class_differences")


def test_one_epoch_is_no_curve(tmp_path: Path):
    place = fabricate(tmp_path, datasets=("digits",), models=MODELS, budgets=(4_000_000,), seeds=(0, 1), epochs=1)
    assert reason(load([place]), "training_curves") == "one epoch is a single point of each curve"


def test_comparisons_are_counted_by_how_they_end(folder: Path):
    declared = json.loads((folder / "suite.json").read_text())["comparisons"]
    said = alt(load([folder]), "differences")
    assert said.startswith(f"Ends of {sum(len(each['candidates']) for each in declared)} declared comparisons: ")
