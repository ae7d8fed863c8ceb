"""Every named space, and those that searches make of it, passes the same checks."""

import json
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from support.operators import check_architectures, check_both_counts, check_children

from trionet_bench.errors import UsageError
from trionet_bench.spaces.choice import Space
from trionet_bench.spaces.glit import GLiTSpace
from trionet_bench.spaces.operators import OPERATORS
from trionet_bench.spaces.presets import GLIT_NANO, NAMED, RESNET_NANO, resolve_space

SMALL = 64  # pixels, up to which networks are built here

SUBSETS = [
    RESNET_NANO.with_dimensions(name="-".join(names), operators=names)
    for count in (1, 2)
    for names in combinations(RESNET_NANO.operators, count)
]
LEVELS: list[GLiTSpace] = [
    GLIT_NANO.first_level().with_dimensions(name="first-level"),
    GLIT_NANO.second_level((0, 1, 2, 3, 0, 3)).with_dimensions(name="second-level"),
]
SPACES = pytest.mark.parametrize("space", [*NAMED, *SUBSETS, *LEVELS], ids=lambda space: space.name)
BUILT = pytest.mark.parametrize(
    "space", [space for space in (*NAMED, *LEVELS) if space.resolution <= SMALL], ids=lambda space: space.name
)


@SPACES
def test_genes_networks_and_json_say_the_same(space: Space):
    check_architectures(space, 60)


@SPACES
def test_dimensions_make_the_space_again(space: Space):
    value = json.loads(json.dumps(space.to_dict()))
    again = resolve_space(value)
    assert again == space and hash(again) == hash(space)
    assert again.to_dict() == space.to_dict()
    del value["kind"]
    assert space.with_dimensions(**value) == space
    assert space.with_dimensions(name="other").to_dict() == {**space.to_dict(), "name": "other"}
    with pytest.raises(UsageError, match=f'unknown dimension "colours" of a {space.kind} space'):
        space.with_dimensions(colours=[1])


@SPACES
def test_offspring_is_canonical(space: Space):
    generator = np.random.default_rng(0)
    for _ in range(30):
        first, second = space.random(generator), space.random(generator)
        for child in (first, space.mutate(first, 0.3, generator), space.crossover(first, second, generator)):
            assert space.canonical(child) == child == space.encode(space.decode(child))


@SPACES
def test_choices_say_where_they_are(space: Space):
    names = [choice.name for choice in space.choices]
    assert len(set(names)) == len(names) == len(space.gene_counts)
    genes = space.extreme({}, biggest=True)
    assert [position for _, _, position in space.blocks(genes)] == [*space.operator_positions]
    for stage, block, position in space.blocks(genes):
        choice = space.choices[position]
        assert (choice.group, choice.block, choice.stage or 0) == ("operator", block, stage)
        for dependent in space.dependents(position):
            detail = space.choices[dependent]
            assert (detail.group, detail.block, detail.stage) == ("detail", choice.block, choice.stage)
        assert len(space.candidates(position)) == len(space.operator_options(position))


@SPACES
def test_blocks_are_made_of_registered_operators_and_have_different_codes(space: Space):
    for position in space.operator_positions:
        options = space.operator_options(position)
        codes = [space.code(option) for option in options]
        assert len(set(codes)) == len(codes) and all(len(code) == 1 for code in codes)
        for option in options:
            parts = space.parts(option)
            assert set(parts) <= set(space.operators) <= set(OPERATORS.names())
            assert sum(parts.values()) == pytest.approx(1)


@BUILT
def test_closed_form_is_the_count(space: Space):
    generator = np.random.default_rng(0)
    for _ in range(3):
        check_both_counts(space, space.decode(space.random(generator)))


@BUILT
def test_children_are_the_networks_that_are_extracted(space: Space):
    check_children(space, 1)


def test_an_architecture_of_another_kind_is_refused():
    for space, other in ((RESNET_NANO, GLIT_NANO), (GLIT_NANO, RESNET_NANO)):
        with pytest.raises(UsageError, match=f"{space.name} holds no "):
            space.encode(other.decode(other.extreme({}, biggest=False)))


@pytest.mark.parametrize("module", ["choice", "fab", "glit", "operators", "plain", "presets", "published", "resnet"])
def test_spaces_load_neither_torch_nor_pydantic(module: str):
    code = f"""
import sys
import trionet_bench.spaces.{module}
assert not {{"torch", "pydantic", "pandas", "trionet_bench.networks"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
