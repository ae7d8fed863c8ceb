"""The GLiT space: the released encoding, sizes, genes without effect, and what a suite may change."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trionet_bench.errors import UsageError
from trionet_bench.spaces.glit import GLiTSpace
from trionet_bench.spaces.glit_architecture import GLiTBlock
from trionet_bench.spaces.presets import GLIT_BASE, GLIT_NANO, GLIT_TINY, RESNET_NANO, resolve_space, space_for
from trionet_bench.spaces.published import GLIT_TINY_FOUND

FOUND = GLIT_TINY_FOUND[0]
SECOND = GLIT_TINY.second_level(FOUND)
PAPER = replace(GLIT_TINY, candidates_of="paper")
LEVELS = [GLIT_TINY, GLIT_TINY.first_level(), SECOND, PAPER, PAPER.second_level(FOUND), GLIT_NANO]


def test_sizes_are_the_published_ones():
    assert GLIT_TINY.first_level().size == 4**12
    assert SECOND.size == 9**12
    assert GLIT_TINY.size == (4 * 81) ** 12  # "about 1.3e30"
    # all that a block has: 9 where it attends, 27 where it is convolved, 81 in mixed blocks
    assert PAPER.second_level(FOUND).size == 9**5 * 27**4 * 81**3


def test_released_network_is_read_as_its_code_reads_it():
    # Decoded by hand from base_arch and arch: 3 * outer + inner
    assert GLIT_TINY.from_released(*GLIT_TINY_FOUND).blocks == (
        GLiTBlock(3, ratio=0.5, mlp=4),
        GLiTBlock(0, kernel=31, expansion=2, mlp=4),
        GLiTBlock(1, kernel=31, expansion=4, ratio=1, mlp=6),
        GLiTBlock(3, ratio=1, mlp=4),
        GLiTBlock(0, kernel=45, expansion=4, mlp=4),
        GLiTBlock(1, kernel=31, expansion=4, ratio=1, mlp=6),
        GLiTBlock(3, ratio=1, mlp=2),
        GLiTBlock(1, kernel=31, expansion=4, ratio=1, mlp=2),
        GLiTBlock(0, kernel=45, expansion=4, mlp=4),
        GLiTBlock(3, ratio=1, mlp=4),
        GLiTBlock(0, kernel=31, expansion=4, mlp=4),
        GLiTBlock(3, ratio=2, mlp=6),
    )


@pytest.mark.parametrize("space", LEVELS, ids=lambda space: f"{space.name}, {space.size:.1e}")
def test_genes_and_networks_are_the_same(space: GLiTSpace):
    generator = np.random.default_rng(0)
    for _ in range(50):
        raw = tuple(int(gene) for gene in generator.integers(space.gene_counts))
        genes = space.canonical(raw)
        network = space.decode(raw)
        assert space.canonical(genes) == genes
        assert space.decode(genes) == network
        assert space.encode(network) == genes
        assert space.from_dict(network.to_dict()) == network


def test_gene_without_effect_keeps_the_key():
    genes = [0] * len(GLIT_TINY.choices)
    genes[1] = 3  # the first block attends globally: kernel and expansion mean nothing to it
    changed = [*genes]
    changed[2], changed[3] = 2, 1
    assert GLIT_TINY.canonical(tuple(changed)) == tuple(genes)
    changed[4] = 1  # its ratio does
    assert GLIT_TINY.canonical(tuple(changed)) != tuple(genes)


def test_levels_leave_the_other_level_alone():
    generator = np.random.default_rng(0)
    for _ in range(20):
        first = GLIT_TINY.first_level().decode(GLIT_TINY.first_level().random(generator))
        details = {(b.kernel, b.expansion, b.ratio, b.mlp) for b in first.blocks}
        assert details <= {(31, 1, None, 4), (31, 1, 1.0, 4), (None, None, 1.0, 4)}
        second = SECOND.decode(SECOND.random(generator))
        assert tuple(block.attending for block in second.blocks) == FOUND


@pytest.mark.parametrize("space", [s for s in LEVELS if s is not GLIT_NANO], ids=lambda s: f"{s.size:.1e}")
def test_cover_has_every_candidate_of_every_block(space: GLiTSpace):
    covered = [{network.blocks[b] for network in space.cover()} for b in range(space.depth)]
    for position, candidates in zip(space.operator_positions, covered, strict=True):
        assert len(candidates) == sum(space.candidates(position))


def test_mixed_blocks_share_by_channels():
    assert GLIT_TINY.divisions == ("locality", "1 of 3 global", "2 of 3 global", "global")
    assert GLIT_TINY.parts("global") == {"global": 1}
    assert GLIT_TINY.parts("1 of 3 global") == pytest.approx({"global": 1 / 3, "locality": 2 / 3})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch": 8}, "the architecture's patch is 8, glit-tiny has 16."),
        ({"width": 200}, "width is 200, which glit-tiny does not hold; allowed are 192."),
        ({"blocks": []}, "the architecture has 0 blocks, glit-tiny has 12."),
        ({"blocks": [{"attending": 4}] * 12}, "blocks.0.attending is 4; glit-tiny allows 0, 1, 2, 3."),
        ({"blocks": [{"attending": 3, "ratio": 3.0}] * 12}, "blocks.0.ratio is 3.0, which glit-tiny does not hold"),
        (
            {"blocks": [{"attending": 3, "ratio": 1.0, "kernel": 17}] * 12},
            "blocks.0.kernel is 17, which",
        ),
        ({"blocks": [{"attending": 0, "kernel": 17, "expansion": 1, "mlp": 6}] * 12}, "blocks.0.mlp is 6"),
        ({"colour": 1}, 'the architecture has an unknown key "colour"'),
    ],
)
def test_an_architecture_outside_the_space_is_refused(change: dict[str, Any], message: str):
    value = GLIT_TINY.plain_transformer(192).to_dict() | change
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        GLIT_TINY.from_dict(value)


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ({"widths": [100]}, "3 groups must divide the heads, the heads each width"),
        ({"kernels": [4]}, "kernels must be a list of odd numbers above 0"),
        ({"heads": 0}, "heads must be a whole number above 0"),
        ({"distribution": 3}, "distribution must have 6 numbers from 0 to 3"),
        ({"ratios": [0.5]}, "ratios must hold 1"),
        ({"distribution": [3]}, "distribution must have 6 numbers from 0 to 3"),
        ({"mlps": [4, 2]}, "mlps must be a list of whole numbers above 0, from small to large"),
        ({"deph": 3}, 'unknown dimension "deph" of a glit space; did you mean "depth"?'),
    ],
)
def test_impossible_spaces_are_refused(dimensions: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        resolve_space({"base": "glit-nano", **dimensions})


def test_spaces_are_read_back_and_found_by_kind():
    for space in LEVELS:
        assert resolve_space(space.to_dict()) == space
    assert resolve_space({"kind": "glit", "depth": 4}).to_dict()["depth"] == 4
    assert space_for("glit", 64) is GLIT_NANO
    assert space_for("glit", 16) is GLIT_NANO
    assert space_for("glit", 224) is GLIT_TINY
    assert space_for("resnet", 32) is RESNET_NANO
    assert GLIT_BASE.heads == 12
    with pytest.raises(UsageError, match='unknown kind of space "vgg"'):
        resolve_space({"kind": "vgg"})
