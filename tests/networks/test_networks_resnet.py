from collections import Counter

import numpy as np
import pytest
import torch
from support.tiny import FOUR_STAGES, TINY
from torch import Tensor

from trionet_bench.networks.layers import initialise
from trionet_bench.networks.mac_totals import counted_macs, profile
from trionet_bench.networks.resnet import ResNet
from trionet_bench.networks.skeletons import architecture_macs, build_network
from trionet_bench.records.record import Placement
from trionet_bench.spaces.presets import RESNET_IMAGENET, RESNET_NANO, RESNET_TINY
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.spaces.resnet_architecture import Block, ResNetArchitecture, Stage

SPACES = pytest.mark.parametrize("space", [RESNET_NANO, FOUR_STAGES], ids=lambda space: space.name)

# 8 stem channels; a convolution and an axial block of width 16, then a strided local block of width 24.
BY_HAND = ResNetArchitecture(
    "conv3",
    8,
    "plain",
    (
        Stage(16, 1, (Block("conv", 0.25, kernel=3), Block("axial", 0.5, heads=2, qk=0.5, v=1.0))),
        Stage(24, 2, (Block("local", 0.5, window=5, heads=2, qk=1.0, v=1.0),)),
    ),
)


def network(architecture: ResNetArchitecture, resolution: int, device: str = "meta") -> ResNet:
    with torch.device(device):
        return ResNet(architecture, 10, 3, resolution)


def children(space: ResNetSpace, count: int) -> list[ResNetArchitecture]:
    generator = np.random.default_rng(2)
    return [space.decode(space.random(generator)) for _ in range(count)]


@SPACES
@pytest.mark.parametrize("size", [7, 16, 32, 17, 31])  # at 7 the last maps are one pixel
def test_closed_form_equals_the_operator_level_count(space: ResNetSpace, size: int):
    for architecture in children(space, 3):
        built = network(architecture, size)
        counted = counted_macs(built, size, size, 3)
        assert architecture_macs(architecture, 10, 3, size) == profile(built, size).macs == counted


def test_closed_form_of_maps_that_are_not_square():
    for architecture in children(FOUR_STAGES, 4):
        built = network(architecture, 33)
        assert sum(cost.macs for cost in built.costs(33, 18)) == counted_macs(built, 33, 18, 3)


@pytest.mark.parametrize(("space", "size"), [(RESNET_TINY, 64), (RESNET_IMAGENET, 224)], ids=["64", "224"])
def test_closed_form_at_full_size(space: ResNetSpace, size: int):
    for architecture in children(space, 3):
        built = network(architecture, size)
        counted = counted_macs(built, size, size, 3)
        assert architecture_macs(architecture, 10, 3, size) == profile(built, size).macs == counted


def test_macs_by_hand():
    # 8 x 8 positions in stage 0, 4 x 4 leave stage 1; the local block attends before it is strided.
    stem = 64 * 9 * 3 * 8
    conv = 64 * 9 * 4 * 4
    # axial, mid 8, 2 heads: queries and keys 2 each, values 4; q, k, v from 8 channels, then 8 keys a row, twice
    axial = 2 * 64 * ((4 + 4 + 8) * 8 + 8 * 2 * (3 * 2 + 2 * 4))
    # local, mid 12, 2 heads: q, k, v 6 each; q.k, q.r and a.v over the pairs at most 2 of 8 rows and columns apart
    local = 64 * 3 * 12 * 12 + (8 + 2 * 7 + 2 * 6) ** 2 * 2 * (2 * 6 + 6)
    pointwise = 64 * (8 * 4 + 4 * 16) + 64 * (16 * 8 + 8 * 16) + 64 * 16 * 12 + 16 * 12 * 24
    shortcuts = 64 * 8 * 16 + 16 * 16 * 24
    cost = profile(network(BY_HAND, 8), 8)
    assert cost.macs_by_operator == {
        "stem": stem,
        "conv": conv,
        "axial": axial,
        "local": local,
        "pointwise": pointwise,
        "shortcut": shortcuts,
        "classifier": 24 * 10,
    }
    assert cost.macs == sum(cost.macs_by_operator.values())
    stage_0 = conv + axial + 64 * (8 * 4 + 4 * 16) + 64 * (16 * 8 + 8 * 16) + 64 * 8 * 16
    assert cost.macs_by_stage["0"] == stage_0
    assert list(cost.macs_by_stage) == ["stem", "0", "1", "classifier"]
    assert sum(cost.macs_by_stage.values()) == cost.macs
    entries = [{"stage": 0, "block": 0, "operator": "conv"}, {"stage": 0, "block": 1, "operator": "axial"}]
    assert sum(cost.of_placement(entries)) == stage_0
    assert cost.of_placement([{"stage": 1, "block": 0, "operator": "local"}]) == [cost.macs_by_stage["1"]]


def test_parameters_by_hand():
    stem = 9 * 3 * 8 + 2 * 8
    conv_block = 8 * 4 + 2 * 4 + (9 * 4 * 4 + 2 * 4) + 4 * 16 + 2 * 16 + (8 * 16 + 2 * 16)
    # a pass: q, k, v, their norm; tables of 2, 2 and 4 dimensions over 15 offsets; norms of 3 terms and 2 outputs
    one_pass = 16 * 8 + 2 * 16 + (2 + 2 + 4) * 15 + 2 * 3 * 2 + 2 * 2 * 8
    axial_block = 16 * 8 + 2 * 8 + 2 * one_pass + 8 * 16 + 2 * 16
    # q, k, v; rows and columns of 3 dimensions over 5 offsets; norm
    local_block = 16 * 12 + 2 * 12 + (36 * 12 + 2 * 3 * 5 + 2 * 12) + 12 * 24 + 2 * 24 + (16 * 24 + 2 * 24)
    classifier = 24 * 10 + 10
    assert profile(network(BY_HAND, 8), 8).params == stem + conv_block + axial_block + local_block + classifier


def test_placement_by_hand():
    entries = network(BY_HAND, 8).placement(8)
    assert [(e["stage"], e["block"], e["operator"]) for e in entries] == [
        (0, 0, "conv"),
        (0, 1, "axial"),
        (1, 0, "local"),
    ]
    assert [e["resolution"] for e in entries] == [8, 8, 4]
    assert [(e["width"], e["mid_width"]) for e in entries] == [(16, 4), (16, 8), (24, 12)]
    for entry in entries:
        Placement(**entry, macs=1)


@pytest.mark.parametrize(
    ("stem", "size", "first", "last"), [("conv3", 9, 9, 5), ("conv3-pool", 9, 5, 3), ("conv7-pool", 33, 9, 5)]
)
def test_stems_and_strides_round_up(stem: str, size: int, first: int, last: int):
    architecture = ResNetArchitecture(stem, 8, "plain", BY_HAND.stages)
    assert [entry["resolution"] for entry in network(architecture, size).placement(size)] == [first, first, last]
    built = initialise(network(architecture, size, "cpu"), 0)
    maps: list[Tensor] = []
    for block in (block for stage in built.blocks for block in stage):
        block.register_forward_hook(lambda module, inputs, output: maps.append(output))
    assert built(torch.randn(2, 3, size, size)).shape == (2, 10)
    assert [tuple(x.shape[2:]) for x in maps] == [(first, first), (first, first), (last, last)]


def test_counting_leaves_the_network_as_it_is():
    built = initialise(network(BY_HAND, 8, "cpu"), 0).train()
    weight = next(built.parameters())
    before = weight.detach().clone()
    counted_macs(built, 8, 8, 3)
    assert built.training
    assert torch.equal(next(built.parameters()), before)
    assert next(built.parameters()) is weight


def test_fresh_block_is_its_shortcut():
    # the last scale of a block begins at 0: only the ReLU changes x
    built = initialise(network(BY_HAND, 8, "cpu"), 0)
    assert isinstance(built, ResNet)
    x = torch.randn(2, 16, 8, 8)
    assert torch.equal(built.blocks[0][1](x), x.relu())


def test_drop_path_grows_with_depth():
    built = network(BY_HAND, 8)
    built.set_drop_path(0.5)
    assert [block.drop_path for stage in built.blocks for block in stage] == [0.0, 0.25, 0.5]


def test_drop_path_skips_whole_branches_of_single_images():
    built = network(BY_HAND, 8, "cpu")
    initialise(built, 0)
    block = built.blocks[0][1]
    torch.nn.init.ones_(block.expand_norm.weight)
    x = torch.rand(400, 16, 8, 8)
    undropped = block(x)
    block.drop_path = 0.25
    torch.manual_seed(0)
    dropped = block(x)
    skips = (dropped == x).flatten(1).all(1)
    assert skips.float().mean().item() == pytest.approx(0.25, abs=0.07)
    # what remains is scaled up, so that the mean stays; seen where the sum is not rectified
    seen = ~skips[:, None, None, None] & (undropped > 0)
    torch.testing.assert_close(dropped[seen], (x + (undropped - x) / 0.75).relu()[seen])
    block.eval()
    assert not (block(x) == x).flatten(1).all(1).any()


def test_weights_have_equal_names_except_those_of_the_operator():
    names = {
        operator: {name for name, _ in network(TINY.decode(TINY.extreme(TINY.operators_set_to(operator), True)), 8)
                   .blocks[0][0].named_parameters()}
        for operator in TINY.operators
    }  # fmt: skip
    counts = Counter(name for of_operator in names.values() for name in of_operator)
    assert {name for name, count in counts.items() if count == 3} == {
        "reduce.weight", "reduce_norm.weight", "reduce_norm.bias",
        "expand.weight", "expand_norm.weight", "expand_norm.bias",
        "shortcut.weight", "shortcut_norm.weight", "shortcut_norm.bias",
    }  # fmt: skip
    assert 2 not in counts.values()
    for operator, of_operator in names.items():
        assert all(name.startswith(operator + ".") for name in of_operator if counts[name] == 1)


def test_skeleton_of_an_architecture():
    built = build_network(BY_HAND, 10, 3, 8)
    assert isinstance(built, ResNet)
    assert built.architecture == BY_HAND
