"""The arithmetic of a dry run against counts by hand, with a pace that is given instead of measured."""

from pathlib import Path

import pytest
from support.tiny import cell

from trionet_bench.data.sources.catalogue import published_index
from trionet_bench.execution import estimate as module
from trionet_bench.execution.estimate import Estimate, estimate, seconds_of
from trionet_bench.execution.pace import Pace, measure_pace
from trionet_bench.execution.plan import make_plan
from trionet_bench.execution.scheduler import open_cells, open_phases
from trionet_bench.suite.specification import load_suite
from trionet_bench.training.platform import Resources

SUITE = """
schema: 1
name: counted
datasets:
  data: {source: "SOURCE", search_val: 0.1, val: 0.2}
space: resnet-nano
recipe:
  base: quick
  epochs: 5
  finetune_epochs: 2
  batch: 32
  supernet: {epochs: 3, random_children: 1}
  search: {population: 8, parents: 2, generations: 4, crossover: 2, mutation: 2, calibration_images: 100}
budgets: BUDGETS
models: MODELS
seeds: [0]
"""


@pytest.fixture(autouse=True)
def _given_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "measure_pace", lambda cell, resources: Pace(1e-9, 5e-9, 0.25))


def counted(tmp_path: Path, source: str, models: str, budgets: str = "[2M, 4M]") -> Estimate:
    path = tmp_path / "counted.yaml"
    path.write_text(SUITE.replace("SOURCE", source).replace("MODELS", models).replace("BUDGETS", budgets))
    plan = make_plan(load_suite(path), tmp_path / "results", tmp_path)
    return estimate(plan, open_cells(plan), Resources("cpu", 1))


def test_standalone_by_hand(tmp_path: Path):
    found = counted(tmp_path, "synthetic:texture?n=1250", "{conv: {system: standalone, operator: conv}}")
    parts = {part.what: part for part in found.parts}
    # 1000 of 1250 images: 100 guide no search here but train, 200 validate; two budgets
    assert parts["retrain"].trained_images == 2 * 5 * 800
    assert parts["retrain"].macs == 5 * 800 * 3 * (2e6 + 4e6)
    assert parts["evaluate"].forward_images == 2 * (250 + 200)
    assert parts["retrain"].seconds == pytest.approx(5 * 800 * 6e6 * 5e-9)
    assert found.weights_bytes == 4 * 0.25 * 6e6
    assert found.checkpoint_bytes == 4 * 0.25 * 4e6 * 3  # Adam keeps two more of each
    assert not (found.published or found.unknown or found.silent)


def test_one_supernet_serves_both_budgets(tmp_path: Path):
    found = counted(tmp_path, "synthetic:texture?n=1250", "{trionet: {system: trionet}}")
    parts = {part.what: part for part in found.parts}
    # 700 train images are 21 batches of 32; three children a step, three epochs
    assert (parts["supernet"].jobs, parts["supernet"].trained_images) == (1, 3 * 21 * 32 * 3)
    # three epochs end with probes: smallest, largest, three operators, three at random
    assert parts["supernet"].forward_images == 3 * 8 * (100 + 100)
    assert (parts["search"].jobs, parts["search"].forward_images) == (2, 2 * 32 * (100 + 100))
    assert parts["finetune"].trained_images == 2 * 2 * 800


def test_a_search_over_two_levels(tmp_path: Path):
    model = "{system: glit, retrain: 3, space: {base: glit-nano, widths: [24]}}"
    found = counted(tmp_path, "synthetic:texture?n=1250", f"{{glit: {model}}}", "[4M, 6M]")
    parts = {part.what: part for part in found.parts}
    # 21 batches of 32, three epochs, one child a step: the first supernet serves both budgets, the second hangs from a
    # choice that is made for each
    assert (parts["supernet"].jobs, parts["supernet"].trained_images) == (3, 3 * 3 * 21 * 32)
    assert parts["search"].forward_images == 2 * 2 * 32 * (100 + 100)
    assert parts["select"].trained_images == 2 * 3 * 5 * 700
    # three compared; found: tested, calibrated to inherit, validated and tested so, tested once more when fine-tuned
    assert parts["evaluate"].forward_images == 2 * (3 * 100 + 450 + 100 + 450 + 250)
    assert parts["retrain"].trained_images == 2 * 5 * 800
    assert not found.silent


def test_data_that_are_not_here_count_as_published(tmp_path: Path):
    found = counted(tmp_path, "torchvision:CIFAR100", "{conv: {system: standalone, operator: conv}}")
    assert found.published == ("data",)
    (trained,) = [part.trained_images for part in found.parts if part.what == "retrain"]
    assert trained == 2 * 5 * 40_000  # of 50,000, a fifth validates


def test_unknown_data_that_are_not_here_are_left_out(tmp_path: Path):
    found = counted(tmp_path, "folder:nowhere", "{conv: {system: standalone, operator: conv}}")
    assert (found.unknown, found.parts) == (("data",), ())


def test_published_counts_of_a_choice():
    index = published_index("torchvision:FGVCAircraft?train=trainval")
    assert index is not None
    assert (index.counts["train"], index.counts["test"], len(index.classes)) == (6667, 3333, 100)
    imagenet = published_index("imagenet:anywhere/at/all")
    assert imagenet is not None
    assert imagenet.counts == {"train": 1_281_167, "val": 50_000}
    assert published_index("folder:birds") is None


def test_pace_is_that_of_training_on_the_device():
    pace = measure_pace(cell("trionet"), Resources("cpu", 1))
    assert 0 < pace.forward < pace.training < 1e-5
    assert pace.parameters > 0


def test_seconds_of_each_job_add_up_to_those_of_the_study(tmp_path: Path):
    path = tmp_path / "counted.yaml"
    models = "{conv: {system: standalone, operator: conv}, mix: {system: trionet}}"
    source = "synthetic:texture?n=1250"
    path.write_text(SUITE.replace("SOURCE", source).replace("MODELS", models).replace("BUDGETS", "[2M, 4M]"))
    plan = make_plan(load_suite(path), tmp_path / "results", tmp_path)
    cells, resources = open_cells(plan), Resources("cpu", 1)
    seconds = seconds_of([*open_phases(plan, cells), *cells], resources)
    assert len(seconds) == 5  # a supernet and four cells
    assert sum(seconds.values()) == pytest.approx(estimate(plan, cells, resources).seconds)
