import numpy as np
import pytest
from support.tiny import FOUR_STAGES, TINY, all_networks

from trionet_bench.spaces.presets import RESNET_IMAGENET, RESNET_NANO, RESNET_TINY
from trionet_bench.spaces.resnet import ResNetSpace

SPACES = pytest.mark.parametrize(
    "space", [TINY, FOUR_STAGES, RESNET_NANO, RESNET_TINY, RESNET_IMAGENET], ids=lambda space: space.name
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def position(space: ResNetSpace, name: str) -> int:
    return [choice.name for choice in space.choices].index(name)


def setting(space: ResNetSpace, **options: int) -> tuple[int, ...]:
    """All genes 0 but those named; dots are written as double underscores."""
    genes = [0] * len(space.choices)
    for name, option in options.items():
        genes[position(space, name.replace("__", "."))] = option
    return tuple(genes)


def test_genes_and_size_by_hand():
    # stem and terms; stage 0: depth, width, two blocks of 7 genes; stage 1: depth, width, one block
    assert len(TINY.choices) == 2 + (2 + 2 * 7) + (2 + 7)
    # a block: 3 operators, 2 expansions, 2 windows; stage 0: 2 depths and 2 blocks; stage 1: 2 widths and 1 block
    assert TINY.size == (2 * 12**2) * (2 * 12)
    assert TINY.operator_positions == (4, 11, 20)


def test_every_network_has_one_canonical_form():
    # 8 networks of one block; stage 0 has one or two blocks, stage 1 one block in two widths
    networks = all_networks(TINY)
    assert len(networks) == (8 + 8**2) * (2 * 8)
    assert len({TINY.decode(genes) for genes in networks}) == len(networks)


@SPACES
def test_canonical_form_is_kept(space: ResNetSpace):
    for seed in range(50):
        genes = space.random(generator(seed))
        assert space.canonical(genes) == genes


@pytest.mark.parametrize(
    ("active", "idle"),
    [
        ({}, {"stages__0__blocks__0__window": 1}),  # a convolution has no window
        ({}, {"stages__0__blocks__0__heads": 1}),
        ({"stages__0__blocks__0__operator": 1}, {"stages__0__blocks__0__kernel": 1}),  # local
        ({"stages__0__blocks__0__operator": 2}, {"stages__0__blocks__0__window": 2}),  # axial
        ({}, {"stages__0__blocks__1__operator": 2}),  # beyond the depth
        ({}, {"local_terms": 1}),  # no block is local
    ],
)
def test_gene_without_effect_does_not_change_the_key(active: dict[str, int], idle: dict[str, int]):
    plain, marked = setting(FOUR_STAGES, **active), setting(FOUR_STAGES, **active, **idle)
    assert plain != marked
    assert FOUR_STAGES.canonical(marked) == FOUR_STAGES.canonical(plain) == plain
    assert FOUR_STAGES.decode(marked) == FOUR_STAGES.decode(plain)


@pytest.mark.parametrize(
    "genes",
    [
        setting(FOUR_STAGES, stages__0__depth=1, stages__0__blocks__1__operator=2, stages__0__blocks__1__v=1),
        setting(FOUR_STAGES, local_terms=1, stages__3__blocks__0__operator=1, stages__3__blocks__0__window=2),
        setting(FOUR_STAGES, stem_width=1, stages__1__width=1, stages__2__blocks__0__kernel=1),
    ],
)
def test_gene_with_effect_stays(genes: tuple[int, ...]):
    assert FOUR_STAGES.canonical(genes) == genes


@SPACES
def test_encode_inverts_decode(space: ResNetSpace):
    for seed in range(200):
        genes = space.random(generator(seed))
        assert space.encode(space.decode(genes)) == genes


def test_decode_by_hand():
    genes = setting(
        TINY, stages__0__depth=1, stages__0__blocks__1__operator=1, stages__0__blocks__1__window=1, stages__1__width=1
    )
    first, second = TINY.decode(genes).stages
    assert [block.operator for block in first.blocks] == ["conv", "local"]
    assert first.blocks[1].options == {"window": 5, "heads": 2, "qk": 0.5, "v": 1.0}
    assert (first.width, first.stride, second.width, second.stride) == (16, 1, 32, 2)


def test_blocks_are_those_within_the_depth():
    assert TINY.blocks(setting(TINY)) == [(0, 0, 4), (1, 0, 20)]
    assert TINY.blocks(setting(TINY, stages__0__depth=1)) == [(0, 0, 4), (0, 1, 11), (1, 0, 20)]


def test_dependents_are_the_other_genes_of_the_block():
    names = [TINY.choices[i].name for i in TINY.dependents(11)]
    assert names == [f"stages.0.blocks.1.{gene}" for gene in ("expansion", "kernel", "window", "heads", "qk", "v")]


def test_candidates_by_hand():
    # conv: kernels; local: 3 windows, 2 head counts, 2 query and 2 value sizes; axial: the same without windows
    assert RESNET_IMAGENET.candidates(RESNET_IMAGENET.operator_positions[0]) == (1, 24, 8)
    assert FOUR_STAGES.candidates(FOUR_STAGES.operator_positions[0]) == (2, 24, 8)


def test_extremes_under_an_assignment():
    axial = FOUR_STAGES.operators_set_to("axial")
    biggest = FOUR_STAGES.decode(FOUR_STAGES.extreme(axial, biggest=True))
    smallest = FOUR_STAGES.decode(FOUR_STAGES.extreme(axial, biggest=False))
    assert [len(stage.blocks) for stage in biggest.stages] == [2, 2, 1, 2]
    assert [len(stage.blocks) for stage in smallest.stages] == [1, 1, 1, 1]
    assert [stage.width for stage in biggest.stages] == [24, 32, 32, 48]
    assert [stage.width for stage in smallest.stages] == [16, 24, 32, 32]
    block = biggest.stages[0].blocks[0]
    assert (block.operator, block.expansion) == ("axial", 0.5)
    assert block.options == {"heads": 4, "qk": 1.0, "v": 1.0}


def test_middle_takes_the_middle_options():
    block = FOUR_STAGES.decode(FOUR_STAGES.middle(FOUR_STAGES.operators_set_to("local"))).stages[0].blocks[0]
    assert (block.operator, block.expansion, block.options["window"]) == ("local", 0.25, 5)


def test_random_keeps_what_is_fixed():
    fixed = RESNET_NANO.operators_set_to("local")
    for seed in range(20):
        stages = RESNET_NANO.decode(RESNET_NANO.random(generator(seed), fixed)).stages
        assert {block.operator for stage in stages for block in stage.blocks} == {"local"}


@SPACES
def test_offspring_is_canonical_and_in_the_space(space: ResNetSpace):
    rng = generator()
    for _ in range(100):
        first, second = space.random(rng), space.random(rng)
        for child in (space.mutate(first, 0.3, rng), space.crossover(first, second, rng)):
            assert space.encode(space.decode(child)) == child


def test_mutation_changes_as_many_genes_as_asked():
    parent, rng = TINY.extreme(TINY.operators_set_to("local"), biggest=True), generator()
    assert TINY.mutate(parent, 0.0, rng) == parent
    children = [TINY.mutate(parent, 0.3, rng) for _ in range(1000)]
    # of three operators two differ from the parent's; of two widths one does
    assert np.mean([child[4] != parent[4] for child in children]) == pytest.approx(0.3 * 2 / 3, abs=0.04)
    assert np.mean([child[19] != parent[19] for child in children]) == pytest.approx(0.3 / 2, abs=0.04)


def test_options_are_redrawn_with_their_operator():
    # The parent's windows are 0, since convolutions have none; where a block turns local all windows must come.
    parent = RESNET_NANO.extreme(RESNET_NANO.operators_set_to("conv"), biggest=True)
    windows = [
        block.options["window"]
        for seed in range(3000)
        for stage in RESNET_NANO.decode(RESNET_NANO.mutate(parent, 0.05, generator(seed))).stages
        for block in stage.blocks
        if block.operator == "local"
    ]
    assert len(windows) > 150
    for window in (3, 5, 7):
        assert windows.count(window) / len(windows) == pytest.approx(1 / 3, abs=0.12)


def test_crossover_takes_whole_blocks():
    first = RESNET_NANO.decode(one := RESNET_NANO.extreme(RESNET_NANO.operators_set_to("local"), biggest=True))
    second = RESNET_NANO.decode(other := RESNET_NANO.extreme(RESNET_NANO.operators_set_to("axial"), biggest=False))
    origins = set()
    for seed in range(50):
        child = RESNET_NANO.decode(RESNET_NANO.crossover(one, other, generator(seed)))
        for s, stage in enumerate(child.stages):
            assert stage.width in (first.stages[s].width, second.stages[s].width)
            assert stage.blocks[0] in (first.stages[s].blocks[0], second.stages[s].blocks[0])
            origins.add((s, stage.blocks[0].operator))
    assert origins == {(s, operator) for s in range(3) for operator in ("local", "axial")}
