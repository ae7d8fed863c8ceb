"""Every shipped suite is valid: on its own data where they are here, else on made-up ones of as many classes."""

from dataclasses import replace

import numpy as np
import pytest

from trionet_bench.data.index import Index
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError
from trionet_bench.execution.plan import as_chosen, cell_names, make_cell
from trionet_bench.suite.specification import load_suite, shipped_suites
from trionet_bench.systems.registry import SYSTEMS

CLASSES = {"imagenet": 1000, "cifar100": 100, "cifar10": 10, "digits": 10, "cifar": 10, "fashion": 10}


def stand_in(source: str, classes: int) -> Index:
    """The bundled digits under another name and with another number of classes: checks ask for no more."""
    labels = {part: np.arange(count) % classes for part, count in {"train": 60_000, "test": 10_000}.items()}
    index = open_source("sklearn:digits")
    return replace(index, uri=source, classes=tuple(map(str, range(classes))), channels=3, labels=labels)


@pytest.mark.parametrize("name", shipped_suites())
def test_shipped_suite_is_valid(name: str):
    suite = load_suite(name)
    assert suite.name == name
    assert suite.title
    assert suite.document.text.startswith("# ")  # its head says what it answers, how long, on what
    seen = set()
    for cell_name in cell_names(suite):
        if (what := cell_name[:3]) in seen:
            continue
        seen.add(what)
        index = stand_in(suite.datasets[cell_name.dataset].source, CLASSES.get(cell_name.dataset, 200))
        cell = make_cell(suite, cell_name, as_chosen(suite, cell_name.dataset, index))
        system = SYSTEMS.get(cell.system)
        if cell.system == "pretrained":
            with pytest.raises(DataError, match="weights of model"):  # they are results of other suites, or files
                system.phases(cell)
            continue
        assert len({phase.name for phase in system.phases(cell)}) == len(system.phases(cell))
        system.check(cell)


def test_ablation_has_every_arm():
    arms = load_suite("ablation").models
    options = [arm.options.model_dump() for arm in arms.values()]
    for name, values in {
        "sampler": {"hierarchical", "uniform"}, "sharing": {"multi-head", "prefix"}, "sandwich": {True, False},
        "distillation": {None, False}, "pointwise": {"shared", "separate"},
    }.items():  # fmt: skip
        assert {option[name] for option in options} == values
    both = {(option["sampler"], option["sharing"]) for option in options}
    assert len(both) == 4  # sampling x sharing in full
    subsets = {arm.space.to_dict()["operators"].__repr__() for arm in arms.values()}
    assert len(subsets) == 7  # each alone, each pair, all


def test_small_ablation_has_the_arms_and_comparisons_of_the_large_one():
    large, small = load_suite("ablation"), load_suite("ablation-digits")
    options = [{name: (arm.system, arm.options) for name, arm in suite.models.items()} for suite in (large, small)]
    assert options[0] == options[1]
    assert large.comparisons == small.comparisons
    assert (list(small.datasets), small.budgets, small.seeds) == (["digits"], (3_000_000,), (0, 1, 2, 3, 4))


@pytest.mark.parametrize("name", ["correlation", "correlation-digits", "correlation-controls"])
def test_correlations_rank_at_least_thirty(name: str):
    for model in load_suite(name).models.values():
        assert model.options.model_dump()["architectures"] >= 30
