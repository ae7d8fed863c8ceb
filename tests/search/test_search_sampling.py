from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from support.tiny import FOUR_STAGES, TINY

from trionet_bench.search.sampling import HierarchicalSampler, Sampler, UniformSampler
from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.presets import RESNET_IMAGENET, RESNET_NANO

BOTH = pytest.mark.parametrize("kind", [HierarchicalSampler, UniformSampler])


def operator_genes(sampler: Sampler, draws: int, position: int) -> list[int]:
    """The operator at ``position`` in that many draws, each at another step."""
    return [sampler.draw(step)[0].genes[position] for step in range(draws)]


def shares(values: list[int]) -> list[float]:
    return [values.count(option) / len(values) for option in range(3)]


def test_hierarchical_sampling_gives_each_operator_a_third():
    sampler = HierarchicalSampler(RESNET_NANO, seed=0)
    position = RESNET_NANO.operator_positions[0]
    assert sampler.operator_shares(position).tolist() == [1 / 3] * 3
    # 2000 draws: three deviations are 0.032
    assert shares(operator_genes(sampler, 2000, position)) == pytest.approx([1 / 3] * 3, abs=0.032)


def test_uniform_sampling_gives_each_operator_its_candidates():
    # 1 convolution; 3 windows, 2 head counts, 2 query and 2 value sizes of local attention; 8 of axial attention
    sampler = UniformSampler(RESNET_NANO, seed=0)
    position = RESNET_NANO.operator_positions[0]
    assert sampler.operator_shares(position) == pytest.approx([1 / 33, 24 / 33, 8 / 33])
    assert shares(operator_genes(sampler, 2000, position)) == pytest.approx([1 / 33, 24 / 33, 8 / 33], abs=0.032)


@BOTH
def test_training_sees_operators_in_their_shares(kind: type[Sampler]):
    # Over all blocks of all children of a step, the smallest and the biggest included.
    sampler = kind(RESNET_NANO, seed=1)
    drawn = Counter(
        child.genes[position]
        for step in range(500)
        for child in sampler.draw(step)
        for _, _, position in RESNET_NANO.blocks(child.genes)
    )
    expected = sampler.operator_shares(RESNET_NANO.operator_positions[0])
    assert [drawn[option] / drawn.total() for option in range(3)] == pytest.approx(expected, abs=0.04)


def test_uniform_sampling_draws_every_candidate_equally_often():
    position = TINY.operator_positions[0]
    names = [choice.field for choice in TINY.choices[position : position + 7]]
    sampler, generator = UniformSampler(TINY, seed=0), np.random.default_rng(0)
    draws = Counter()
    for _ in range(4000):
        options = dict(zip(names, sampler.random(generator)[position : position + 7], strict=True))
        draws[options["operator"], options["window"]] += 1
    # one convolution, local attention with two windows, one axial attention
    assert sorted(draws) == [(0, 0), (1, 0), (1, 1), (2, 0)]
    assert all(count == pytest.approx(1000, abs=100) for count in draws.values())


def test_hierarchical_sampling_draws_an_operator_s_options_uniformly():
    position = TINY.operator_positions[0]
    sampler, generator = HierarchicalSampler(TINY, seed=0), np.random.default_rng(0)
    windows = [
        genes[position + 3] for genes in (sampler.random(generator) for _ in range(3000)) if genes[position] == 1
    ]
    assert len(windows) == pytest.approx(1000, abs=100)
    assert np.mean(windows) == pytest.approx(0.5, abs=0.06)


def test_blocks_are_drawn_independently():
    sampler = HierarchicalSampler(RESNET_NANO, seed=0)
    first, other = RESNET_NANO.operator_positions[0], RESNET_NANO.operator_positions[2]
    pairs = Counter((genes[first], genes[other]) for genes in (sampler.draw(step)[0].genes for step in range(2000)))
    assert len(pairs) == 9
    assert all(count / 2000 == pytest.approx(1 / 9, abs=0.025) for count in pairs.values())


@BOTH
def test_a_step_depends_on_seed_and_number_alone(kind: type[Sampler]):
    sampler = kind(RESNET_IMAGENET, seed=3)
    alone = sampler.draw(7)
    for step in (0, 9, 7, 100):
        sampler.draw(step)
    assert sampler.draw(7) == alone == kind(RESNET_IMAGENET, seed=3).draw(7)
    assert sampler.draw(8) != alone
    assert kind(RESNET_IMAGENET, seed=4).draw(7) != alone


def assignment(genes: Genes) -> dict[tuple[int, int], int]:
    return {(stage, block): genes[position] for stage, block, position in FOUR_STAGES.blocks(genes)}


@BOTH
def test_sandwich_under_one_assignment_of_operators(kind: type[Sampler]):
    for step in range(30):
        biggest, *between, smallest = kind(FOUR_STAGES, seed=0, random_children=3).draw(step)
        assert [child.role for child in (biggest, *between, smallest)] == ["biggest", *["random"] * 3, "smallest"]
        operators = assignment(biggest.genes)
        assert len(operators) == 2 + 2 + 1 + 2
        for child in (*between, smallest):
            assert assignment(child.genes).items() <= operators.items()
        # biggest and smallest are what their names say, each operator with its own largest and smallest options
        for child, depths, widths, pick in [
            (biggest, [2, 2, 1, 2], [24, 32, 32, 48], -1),
            (smallest, [1, 1, 1, 1], [16, 24, 32, 32], 0),
        ]:
            network = FOUR_STAGES.decode(child.genes)
            assert network.stem_width == (8, 16)[pick]
            assert [len(stage.blocks) for stage in network.stages] == depths
            assert [stage.width for stage in network.stages] == widths
            for block in (block for stage in network.stages for block in stage.blocks):
                assert block.expansion == (0.125, 0.25, 0.5)[pick]
                assert block.options.get("kernel") in (None, (3, 5)[pick])
                assert block.options.get("window") in (None, (3, 5, 7)[pick])
                assert block.options.get("qk") in (None, (0.5, 1.0)[pick])


@BOTH
def test_random_children_of_a_step_differ(kind: type[Sampler]):
    sampler = kind(RESNET_IMAGENET, seed=0, random_children=4)
    assert len({child.genes for child in sampler.draw(0)}) == 6


def test_without_sandwich_all_are_random_and_as_many():
    for step in range(10):
        children = HierarchicalSampler(FOUR_STAGES, seed=0, random_children=2, sandwich=False).draw(step)
        assert [child.role for child in children] == ["random"] * 4
        depths = {tuple(len(stage.blocks) for stage in FOUR_STAGES.decode(child.genes).stages) for child in children}
        if len(depths) > 1:
            return
    pytest.fail("all children have the same depths")


def stage_of(position: int) -> int | None:
    return FOUR_STAGES.choices[position].stage


@pytest.mark.parametrize("level", ["block", "stage", "network"])
def test_levels_share_a_draw(level: str):
    sampler = HierarchicalSampler(FOUR_STAGES, seed=0, level=level)  # type: ignore[arg-type]
    positions = FOUR_STAGES.operator_positions
    drawn = [sampler.operators(np.random.default_rng(seed)) for seed in range(300)]
    for one, other in pairwise(positions):
        equal = np.mean([fixed[one] == fixed[other] for fixed in drawn])
        together = level == "network" or (level == "stage" and stage_of(one) == stage_of(other))
        assert equal == (1.0 if together else pytest.approx(1 / 3, abs=0.09))
    for position in positions:
        assert shares([fixed[position] for fixed in drawn]) == pytest.approx([1 / 3] * 3, abs=0.09)
