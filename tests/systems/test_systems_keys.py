import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from support.tiny import RECIPE, TINY, cell

from trionet_bench.systems.cell import AnyCell, option_fields
from trionet_bench.systems.registry import SYSTEMS


def phase_key(of: AnyCell) -> str:
    (phase,) = SYSTEMS.get(of.system).phases(of)
    return phase.key


def changed_recipe(**changes: Any) -> Any:
    """The recipe with other values; those of a part are merged into it."""
    value = RECIPE.model_dump()
    for name, change in changes.items():
        value[name] = value[name] | change if isinstance(change, dict) else change
    return type(RECIPE).model_validate(value)


BASE = cell("trionet")

# What a cell depends on, but its supernet does not.
SEARCH_ONLY = {
    "budget": replace(BASE, budget=100_000, budgets=(BASE.budget,)),
    "search": cell("trionet", search="random"),
    "epochs": replace(BASE, recipe=changed_recipe(epochs=9)),
    "finetune_epochs": replace(BASE, recipe=changed_recipe(finetune_epochs=9)),
    "population": replace(BASE, recipe=changed_recipe(search={"population": 9})),
}
# What both depend on.
BOTH = {
    "seed": cell("trionet", seed=1),
    "sampler": cell("trionet", sampler="uniform"),
    "level": cell("trionet", operator_level="stage"),
    "sandwich": cell("trionet", sandwich=False),
    "sharing": cell("trionet", sharing="prefix"),
    "pointwise": cell("trionet", pointwise="separate"),
    "distillation": cell("trionet", distillation=False),
    "supernet": replace(BASE, recipe=changed_recipe(supernet={"epochs": 9})),
    "children": replace(BASE, recipe=changed_recipe(supernet={"random_children": 3})),
    "calibration": replace(BASE, recipe=changed_recipe(search={"calibration_images": 40})),
    "batch": replace(BASE, recipe=changed_recipe(batch=8)),
    "augment": replace(BASE, recipe=changed_recipe(augment={"crop": "none"})),
    "space": replace(BASE, space=TINY.with_dimensions(windows=[3])),
    "resolution": replace(BASE, resolution=16),
    "data": replace(BASE, data=replace(BASE.data, index=replace(BASE.data.index, fingerprint="1" * 64))),
    "split": replace(BASE, data=replace(BASE.data, search_val=0.1)),
}
# What neither depends on.
NEITHER = {
    "suite": replace(BASE, suite="other"),
    "model": replace(BASE, model="other"),
    "data set": replace(BASE, data=replace(BASE.data, name="other")),
    "validation curves": replace(BASE, recipe=changed_recipe(validate_every=1)),
    "recipe's name": replace(BASE, recipe=changed_recipe(name="other")),
    "space's name": replace(BASE, space=TINY.with_dimensions(name="other")),
    "evaluation batch": replace(BASE, recipe=changed_recipe(search={"evaluation_batch": 9})),
}


@pytest.mark.parametrize("what", SEARCH_ONLY)
def test_one_supernet_serves_all_of(what: str):
    assert phase_key(SEARCH_ONLY[what]) == phase_key(BASE)
    assert SEARCH_ONLY[what].key({}) != BASE.key({})


@pytest.mark.parametrize("what", BOTH)
def test_another_supernet_for_another(what: str):
    assert phase_key(BOTH[what]) != phase_key(BASE)
    assert BOTH[what].key({}) != BASE.key({})


@pytest.mark.parametrize("what", NEITHER)
def test_keys_do_not_depend_on(what: str):
    assert phase_key(NEITHER[what]) == phase_key(BASE)
    assert NEITHER[what].key({}) == BASE.key({})


def test_another_supernet_for_other_budgets():
    assert phase_key(cell("trionet", budget=100_000)) != phase_key(BASE)
    any_child = cell("trionet", children="space")
    assert phase_key(replace(any_child, budget=100_000)) == phase_key(any_child) != phase_key(BASE)


def test_all_keys_differ():
    cells = [BASE, *SEARCH_ONLY.values(), *BOTH.values()]
    assert len({each.key({}) for each in cells}) == len(cells)
    phases = [BASE, *BOTH.values()]
    assert len({phase_key(each) for each in phases}) == len(phases)


def test_key_depends_on_what_came_out_of_the_phases():
    assert len({BASE.key({}), BASE.key({"supernet": "a"}), BASE.key({"supernet": "b"})}) == 3


def test_distillation_said_twice_is_the_same_supernet():
    assert RECIPE.supernet.distillation
    assert phase_key(cell("trionet", distillation=True)) == phase_key(BASE)


def test_an_option_that_came_later_leaves_the_keys_as_they_were():
    assert BASE.options.model_dump()["pointwise"] == "shared"  # the record says it
    assert "pointwise" not in option_fields(BASE.options)
    assert option_fields(cell("trionet", pointwise="separate").options)["pointwise"] == "separate"


def test_standalone_networks_share_nothing():
    assert SYSTEMS.get("standalone").phases(cell("standalone", operator="conv")) == ()
    keys = {cell("standalone", operator=operator).key({}) for operator in ("conv", "local", "axial")}
    assert len(keys) == 3


def test_plans_load_no_torch():
    code = """
import sys
from trionet_bench.data.sources.opening import open_source
from trionet_bench.spaces.presets import resolve_space
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.systems.cell import Cell, DataChoice
from trionet_bench.training.recipe import resolve_recipe

data = DataChoice("digits", open_source("sklearn:digits"))
for system, options in [("standalone", {"operator": "conv"}), ("trionet", {})]:
    declared = SYSTEMS.get(system)
    cell = Cell("s", data, "m", system, declared.options_type(**options), resolve_space("resnet-nano"),
                resolve_recipe("quick"), 16, 4_000_000, 0)
    cell.key({phase.name: phase.key for phase in declared.phases(cell)})
for system in SYSTEMS:
    system.options_type.model_json_schema()
assert "torch" not in sys.modules, "torch was loaded"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
