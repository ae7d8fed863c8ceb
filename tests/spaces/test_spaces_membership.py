import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from support.tiny import FOUR_STAGES, TINY

from trionet_bench.errors import UsageError
from trionet_bench.spaces.presets import (
    FAB_26,
    FAB_50,
    GLIT_BASE,
    GLIT_SMALL,
    GLIT_TINY,
    RESNET_IMAGENET,
    RESNET_NANO,
    RESNET_TINY,
    SPACES,
    resolve_space,
)
from trionet_bench.spaces.published import PUBLISHED, published
from trionet_bench.spaces.resnet_architecture import ResNetArchitecture


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def changed(value: dict[str, Any], path: str, new: Any) -> dict[str, Any]:
    """``value`` with another entry at ``path``, for example ``stages.0.width``; None removes it."""
    value = through_json(value)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inner: Any = value
    for part in parents:
        inner = inner[part]
    if new is None:
        del inner[last]
    else:
        inner[last] = new
    return value


def test_published_networks_are_those_of_the_literature():
    names = [f"{kind}resnet{depth}" for kind in ("", "local_") for depth in (26, 38, 50)]
    names += [f"axial_resnet{depth}_{scale}" for depth in (26, 38, 50) for scale in "sml"]
    names += [f"local_resnet{depth}_ps" for depth in (26, 38, 50)]
    assert sorted(PUBLISHED) == sorted([*names, *ELSEWHERE])


ELSEWHERE = {  # the others are in the residual space
    **{"glit_tiny": GLIT_TINY, "deit_tiny": GLIT_TINY, "deit_small": GLIT_SMALL, "deit_base": GLIT_BASE},
    **{"sasa26": FAB_26, "sasa50": FAB_50},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_are_members_of_spaces_at_224_pixels(name: str):
    architecture, space = published(name), ELSEWHERE.get(name, RESNET_IMAGENET)
    assert space.decode(space.encode(architecture)) == architecture
    assert space.from_dict(through_json(architecture.to_dict())) == architecture


@pytest.mark.parametrize(
    ("name", "depths", "stem", "widths", "mid"),
    [
        ("resnet50", [3, 4, 6, 3], 64, [256, 512, 1024, 2048], [64, 128, 256, 512]),
        ("local_resnet26", [1, 2, 4, 1], 64, [256, 512, 1024, 2048], [64, 128, 256, 512]),
        ("axial_resnet38_s", [2, 3, 5, 2], 32, [128, 256, 512, 1024], [64, 128, 256, 512]),
        ("axial_resnet50_m", [3, 4, 6, 3], 48, [192, 384, 768, 1536], [96, 192, 384, 768]),
        ("axial_resnet50_l", [3, 4, 6, 3], 64, [256, 512, 1024, 2048], [128, 256, 512, 1024]),
    ],
)
def test_published_shapes(name: str, depths: list[int], stem: int, widths: list[int], mid: list[int]):
    architecture = published(name)
    assert architecture.stem_width == stem
    assert [len(stage.blocks) for stage in architecture.stages] == depths
    assert [stage.width for stage in architecture.stages] == widths
    assert [stage.blocks[0].expansion * stage.width for stage in architecture.stages] == mid


def test_unknown_published_network_names_the_nearest():
    with pytest.raises(UsageError, match='unknown network "resnet5"; did you mean "resnet50"'):
        published("resnet5")


@pytest.mark.parametrize("space", [TINY, FOUR_STAGES, *SPACES.values()], ids=lambda space: space.name)
def test_architectures_go_through_json(space: Any):
    for seed in range(50):
        architecture = space.decode(space.random(np.random.default_rng(seed)))
        assert space.from_dict(through_json(architecture.to_dict())) == architecture


def test_options_that_do_not_apply_are_not_written():
    blocks = published("resnet26").to_dict()["stages"][0]["blocks"]
    assert blocks == [{"operator": "conv", "expansion": 0.25, "kernel": 3}]


LOCAL = FOUR_STAGES.decode(FOUR_STAGES.extreme(FOUR_STAGES.operators_set_to("local"), biggest=False)).to_dict()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("stem", "conv7-pool", "the architecture's stem is conv7-pool, but four-stages has conv3-pool."),
        ("stem_width", 24, "stem_width is 24, which four-stages does not hold; allowed are 8, 16."),
        ("stages", [], "the architecture has 0 stages, four-stages has 4."),
        ("stages.1.width", 70, "stages.1.width is 70, which four-stages does not hold; allowed are 24, 32."),
        ("stages.1.stride", 1, "stages.1: stride 1, four-stages has 2."),
        ("stages.3.blocks", [], "stages.3.depth is 0, which four-stages does not hold; allowed are 1, 2."),
        ("stages.0.blocks.0.operator", "pool", "operator is pool, which four-stages does not hold; allowed are conv, "),
        ("stages.0.blocks.0.window", 9, "blocks.0.window is 9, which four-stages does not hold; allowed are 3, 5, 7."),
        ("stages.0.blocks.0.window", [3], "stages.0.blocks.0.window is [3], which four-stages does not hold"),
        ("stages.0.blocks.0.window", None, "stages.0.blocks.0.window is None, which four-stages does not hold"),
        ("stages.0.blocks.0.kernel", 3, "stages.0.blocks.0.kernel is 3, but a local block has no kernel."),
        ("local_terms", "simple", "local_terms is simple, which four-stages does not hold; allowed are plain, pos"),
        ("stages.0.blocks.0.windw", 3, 'stages.0.blocks.0 has an unknown key "windw"; did you mean "window"?'),
        ("stages.0.size", 3, 'stages.0 has an unknown key "size"'),
        ("colour", 3, 'the architecture has an unknown key "colour"'),
        ("stages.2.width", None, 'stages.2 has no "width".'),
        ("stages.1.blocks.0.expansion", None, 'stages.1.blocks.0 has no "expansion".'),
        ("stem", None, 'the architecture has no "stem".'),
        ("stages", 3, "stages must be a list, not 3."),
        ("stages.0.blocks.0", "conv", "stages.0.blocks.0 must be a mapping, not 'conv'."),
    ],
)  # fmt: skip
def test_what_is_outside_the_space_is_refused_on_load(path: str, value: Any, message: str):
    FOUR_STAGES.from_dict(LOCAL)
    with pytest.raises(UsageError) as caught:
        FOUR_STAGES.from_dict(changed(LOCAL, path, value))
    assert message in str(caught.value)


def test_loading_gives_the_space_s_own_value():
    # 2.0 equals 2 and so passes; what is built from it must be a whole number
    block = changed(LOCAL, "stages.0.blocks.0.heads", 2.0)
    assert type(FOUR_STAGES.from_dict(block).stages[0].blocks[0].options["heads"]) is int
    # the form of local attention says nothing where no block is local
    conv = RESNET_NANO.decode(RESNET_NANO.extreme(RESNET_NANO.operators_set_to("conv"), biggest=False))
    assert RESNET_NANO.local_terms == ("position_sensitive",)
    assert RESNET_NANO.from_dict(changed(conv.to_dict(), "local_terms", "plain")) == conv


def test_architectures_are_read_without_a_space_for_display():
    assert ResNetArchitecture.from_dict(LOCAL).to_dict() == LOCAL


@pytest.mark.parametrize("space", [TINY, FOUR_STAGES, *SPACES.values()], ids=lambda space: space.name)
def test_dimensions_go_through_json(space: Any):
    assert resolve_space(through_json(space.to_dict())) == space


def test_named_spaces():
    assert resolve_space("resnet-tiny") is RESNET_TINY
    with pytest.raises(UsageError, match='unknown space "resnet-nan"; did you mean "resnet-nano"'):
        resolve_space("resnet-nan")


def test_a_variant_changes_only_what_it_names():
    variant = resolve_space({"base": "resnet-nano", "windows": [3], "operators": ["conv", "local"]})
    assert (variant.name, RESNET_NANO.name) == ("resnet-nano-variant", "resnet-nano")
    expected = RESNET_NANO.to_dict() | {"name": variant.name, "windows": [3], "operators": ["conv", "local"]}
    assert variant.to_dict() == expected
    assert resolve_space({"base": "resnet-nano"}) == RESNET_NANO


def test_stages_written_out():
    stages = [{"depths": [1], "widths": [8, 16], "stride": 2}]
    space = resolve_space({"base": "resnet-nano", "name": "mine", "stages": stages})
    # stem, terms, depth, width, and one block
    assert (space.name, len(space.choices)) == ("mine", 4 + 7)


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ({"window": [3]}, 'unknown dimension "window" of a resnet space; did you mean "windows"?'),
        ({"operators": ["conv", "locale"]}, 'unknown operators "locale"; did you mean "local"?'),
        ({"operators": ["conv", "conv"]}, "operators must be a list of different names, not ['conv', 'conv']"),
        ({"operators": "conv"}, "operators must be a list of different names, not conv"),
        ({"local_terms": []}, "local_terms must be a list of different names, not []"),
        ({"stem": "conv5"}, 'unknown stem "conv5"; did you mean "conv3"?'),
        ({"resolution": "16"}, "resolution must be a number of pixels, not 16."),
        ({"heads": 4}, "heads must be a list of whole numbers above 0, from small to large, not 4."),
        ({"heads": []}, "heads must be a list of whole numbers above 0, from small to large, not []."),
        ({"heads": [4, 2]}, "heads must be a list of whole numbers above 0, from small to large, not [4, 2]."),
        ({"heads": [2, 2]}, "heads must be a list of whole numbers"),
        ({"heads": [0, 2]}, "heads must be a list of whole numbers"),
        ({"heads": [2.5]}, "heads must be a list of whole numbers"),
        ({"windows": [3, 4]}, "windows must be a list of odd numbers above 0, from small to large, not [3, 4]."),
        ({"kernels": [2]}, "kernels must be a list of odd numbers"),
        ({"expansions": ["1/8"]}, "expansions must be a list of numbers above 0, from small to large, not ['1/8']."),
        ({"stages": []}, "space resnet-nano-variant has no stages"),
        ({"stages": 3}, "each stage of a space is {depths: [...], widths: [...], stride: n}"),
        ({"stages": [3]}, "each stage of a space is {depths: [...], widths: [...], stride: n}"),
        ({"stages": [{"depth": [1], "widths": [8], "stride": 1}]}, "each stage of a space is {depths: [...]"),
        ({"stages": [{"widths": [8], "stride": 1}]}, "each stage of a space is {depths: [...]"),
        ({"stages": [{"depths": [2, 1], "widths": [8], "stride": 1}]}, "stages.0.depths must be a list of whole"),
        ({"stages": [{"depths": [], "widths": [8], "stride": 1}]}, "stages.0.depths must be a list of whole"),
        ({"stages": [{"depths": [1], "widths": 8, "stride": 1}]}, "stages.0.widths must be a list of whole numbers"),
        ({"stages": [{"depths": [1], "widths": [8], "stride": 3}]}, "stages.0.stride is 3; allowed are 1, 2."),
    ],
)  # fmt: skip
def test_wrong_dimensions_are_refused(dimensions: dict[str, Any], message: str):
    with pytest.raises(UsageError) as caught:
        resolve_space({"base": "resnet-nano", **dimensions})
    assert message in str(caught.value)


def test_spaces_load_no_torch():
    code = """
import sys
import trionet_bench.spaces.presets, trionet_bench.spaces.published
space = trionet_bench.spaces.presets.RESNET_NANO
space.decode(space.extreme({}, biggest=True))
assert not {"torch", "trionet_bench.networks"} & set(sys.modules), "torch was loaded"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
