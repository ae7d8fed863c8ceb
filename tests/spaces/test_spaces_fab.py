"""The space of FAB-NAS (reconstruction): its size, the parameters of its networks, and what it refuses."""

from typing import Any

import pytest
import torch

from trionet_bench.errors import UsageError
from trionet_bench.networks.skeletons import build_network
from trionet_bench.spaces.fab import FabSpace
from trionet_bench.spaces.presets import FAB_26, FAB_50, FAB_NANO
from trionet_bench.spaces.resnet_architecture import Block


def parameters_in(space: FabSpace, option: str) -> int:
    """Of the network of one operator where the stages offer it, at 1000 classes."""
    everywhere = space.with_dimensions(stages=[[option]] * len(space.depths))
    network = everywhere.decode(everywhere.extreme({}, biggest=True))
    with torch.device("meta"):
        built = build_network(network, 1000, 3, space.resolution)
    return sum(parameter.numel() for parameter in built.parameters())


def test_it_has_as_many_networks_as_the_reconstruction():
    assert FAB_50.size == 4**3 * 5**4 * 6**6 * 4**3 == 119_439_360_000


def test_parameters_of_local_attention_everywhere_are_those_of_stand_alone_self_attention():
    # 18.0 M and 10.3 M are printed for these networks (README of leaderj1001/Stand-Alone-Self-Attention)
    assert round(parameters_in(FAB_50, "local7") / 1e6, 3) == 18.008
    assert round(parameters_in(FAB_26, "local7") / 1e6, 3) == 10.324


@pytest.mark.parametrize("option", ["crisscross", "nonlocal"])
def test_operators_without_positions_have_the_parameters_of_local_attention_less_its_tables(option: str):
    # half a table of 7 rows and half of 7 columns: 7 d, where d is an eighth of 64, 128, 256 and 512 channels
    tables = 7 * (3 * 8 + 4 * 16 + 6 * 32 + 3 * 64)
    assert parameters_in(FAB_50, option) == parameters_in(FAB_50, "local7") - tables


def test_axial_attention_projects_twice():
    # a second q, k and v of C x C in each block; batch norms of both passes, and tables of 2 span - 1 offsets
    shapes = (
        [(64, 56)] * 3 + [(128, 56)] + [(128, 28)] * 3 + [(256, 28)] + [(256, 14)] * 5 + [(512, 14), (512, 7), (512, 7)]
    )
    more = 0
    for channels, span in shapes:
        norms = 2 * (2 * 3 * channels + 2 * 3 * 8 + 2 * 2 * channels) - 2 * channels  # of qkv, terms, values; less one
        more += 3 * channels**2 + norms + 2 * 3 * channels // 8 * (2 * span - 1)
    assert parameters_in(FAB_50, "axial") == parameters_in(FAB_50, "nonlocal") + more


def test_what_stages_offer():
    space = FAB_50
    assert space.operators == ("local", "axial", "crisscross", "nonlocal")
    assert space.everywhere == ("local3", "local5", "local7")
    genes = (0, 0, 1, 2, *[3] * 3, 4, *[5] * 6, 3, 2, 0)
    assert space.codes(genes) == "357" + "aaax" + "nnnnnn" + "n73"
    assert {space.parts(option)["local"] for option in space.everywhere} == {1.0}


def test_a_search_knows_one_scale():
    assert FAB_NANO.size == len(FAB_NANO.scales) * FAB_NANO.at_scale(1.0).size
    network = FAB_NANO.all_local(0.5)
    assert network == FAB_NANO.from_dict(network.to_dict()) == FAB_NANO.at_scale(0.5).from_dict(network.to_dict())
    assert {block for stage in network.stages for block in stage.blocks} == {
        Block("local", 0.5, window=7, heads=2, qk=1.0, v=1.0)
    }
    assert [stage.width for stage in network.stages] == [32, 64, 64, 128]
    with pytest.raises(UsageError, match="which fab-nano does not hold"):
        FAB_NANO.at_scale(1.0).encode(network)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": [["local3"]]}, "space fab-nano: stages must be a list with an entry for each stage."),
        ({"stages": [["local4"]] * 4}, 'space fab-nano: unknown stages.0 "local4"; did you mean "local'),
        ({"stages": [["conv"]] * 4}, 'space fab-nano: unknown stages.0 "conv"'),
        ({"strides": [1, 2, 3, 1]}, "space fab-nano: strides.2 is 3; allowed are 1, 2."),
        ({"scales": [1.0, 0.5]}, "space fab-nano: scales must be a list of numbers above 0, from small to large"),
        ({"depths": [0, 1, 1, 1]}, "space fab-nano: depths.0 must be a whole number above 0"),
        ({"stem": "conv5"}, 'space fab-nano: unknown stem "conv5"'),
    ],
)
def test_impossible_values_are_named(changes: dict[str, Any], message: str):
    with pytest.raises(UsageError) as caught:
        FAB_NANO.with_dimensions(**changes)
    assert message in str(caught.value)


def test_stages_without_a_common_window_have_no_network_of_local_attention():
    space = FAB_NANO.with_dimensions(stages=[["local3"], ["local5"], ["axial"], ["nonlocal"]])
    with pytest.raises(UsageError, match="no window of local attention in common"):
        space.all_local(1.0)


def test_networks_of_other_blocks_are_refused():
    network = FAB_NANO.all_local(1.0).to_dict()
    network["stages"][0]["blocks"][0]["heads"] = 4
    with pytest.raises(UsageError, match=r"stages.0.blocks.0.operator is local .*which fab-nano does not hold"):
        FAB_NANO.from_dict(network)
    network = FAB_NANO.all_local(1.0).to_dict() | {"local_terms": "position_sensitive"}
    with pytest.raises(UsageError, match="fab-nano has attention-pool2 with plain ones"):
        FAB_NANO.from_dict(network)
