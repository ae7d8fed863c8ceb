"""The named spaces, and the space that a suite file's ``space:`` stands for."""

from collections.abc import Mapping
from typing import Any

from trionet_bench.errors import UsageError, nearest
from trionet_bench.limits import shown
from trionet_bench.spaces.choice import Space
from trionet_bench.spaces.fab import FabSpace
from trionet_bench.spaces.glit import GLiTSpace
from trionet_bench.spaces.resnet import ResNetSpace, StageChoices

# 16 to 32 pixels, from about 2 M MACs. Wide and shallow, since networks of few MACs learn little from more depth
# (docs/method.md, "Skeleton"): at least 16 channels and 8 dimensions a head in the middle of a block, and the first two
# stages halve the map, because attention before them costs most. At 32 pixels use the stem "conv3-pool", which gives
# the stages the same maps as "conv3" at 16.
RESNET_NANO = ResNetSpace(
    name="resnet-nano",
    resolution=16,
    stem="conv3",
    stem_widths=(16, 32),
    stages=(
        StageChoices(depths=(1, 2), widths=(32, 64), stride=2),
        StageChoices(depths=(1, 2), widths=(64, 96, 128), stride=2),
        StageChoices(depths=(1, 2), widths=(128, 192, 256), stride=1),
    ),
    expansions=(0.5, 1.0),
    heads=(1, 2),
)

# 64 to 96 pixels: photographs on a laptop or one GPU. By the same principles, with at least 32 channels in the middle.
RESNET_TINY = ResNetSpace(
    name="resnet-tiny",
    resolution=64,
    stem="conv3-pool",
    stem_widths=(32,),
    stages=(
        StageChoices(depths=(1, 2), widths=(128, 192), stride=2),
        StageChoices(depths=(1, 2), widths=(128, 192, 256), stride=2),
        StageChoices(depths=(1, 2, 3), widths=(256, 384, 512), stride=2),
        StageChoices(depths=(1, 2), widths=(256, 384, 512), stride=1),
    ),
    expansions=(0.25, 0.5),
    heads=(2, 4),
)

# 224 pixels. Holds ResNet-26/38/50, conv-stem local 26/38/50 and Axial-ResNet 26/38/50 in S, M and L.
RESNET_IMAGENET = ResNetSpace(
    name="resnet-imagenet",
    resolution=224,
    stem="conv7-pool",
    stem_widths=(32, 48, 64),
    stages=(
        StageChoices(depths=(1, 2, 3), widths=(128, 192, 256), stride=1),
        StageChoices(depths=(2, 3, 4), widths=(256, 384, 512), stride=2),
        StageChoices(depths=(4, 5, 6), widths=(512, 768, 1024), stride=2),
        StageChoices(depths=(1, 2, 3), widths=(1024, 1536, 2048), stride=2),
    ),
    local_terms=("plain", "position_sensitive"),
)

# 32 to 64 pixels: 65 to 257 tokens; about 4 to 190 M MACs at 32. The width is chosen to fit the budget.
GLIT_NANO = GLiTSpace(
    name="glit-nano",
    resolution=32,
    patch=4,
    widths=(24, 36, 48, 60, 72, 96, 120, 144, 192),
    heads=3,
    depth=6,
    kernels=(9, 17, 25),  # about as many rows of the 8 x 8 map as 17, 31, 45 are of the 14 x 14 map
)

# 224 pixels, at the widths of DeiT.
GLIT_TINY = GLiTSpace(name="glit-tiny", resolution=224, patch=16, widths=(192,), heads=3)
GLIT_SMALL = GLiTSpace(name="glit-small", resolution=224, patch=16, widths=(384,), heads=6)
GLIT_BASE = GLiTSpace(name="glit-base", resolution=224, patch=16, widths=(768,), heads=12)

# 224 pixels: the layouts of stand-alone self-attention networks. Operators over the full map are offered where it is
# small.
_WINDOWS = ("local3", "local5", "local7")
FAB_50 = FabSpace(
    name="fab-50",
    resolution=224,
    stem="attention-pool4",
    stem_width=64,
    depths=(3, 4, 6, 3),
    widths=(256, 512, 1024, 2048),
    strides=(1, 2, 2, 2),
    stages=(
        (*_WINDOWS, "axial"),
        (*_WINDOWS, "axial", "crisscross"),
        (*_WINDOWS, "axial", "crisscross", "nonlocal"),
        (*_WINDOWS, "nonlocal"),
    ),
)
FAB_26 = FAB_50.with_dimensions(name="fab-26", depths=(1, 2, 4, 1))

# 16 to 32 pixels; the scale is chosen to fit the budget. At 32 pixels the last three stages have 8 x 8 positions: on
# smaller maps a window of 7 is the full map. As in the other spaces for few MACs, expansion 1/2.
FAB_NANO = FabSpace(
    name="fab-nano",
    resolution=32,
    stem="attention-pool2",
    stem_width=32,
    depths=(1, 1, 2, 1),
    widths=(64, 128, 128, 256),
    strides=(1, 2, 1, 1),
    stages=FAB_50.stages,
    heads=2,
    expansion=0.5,
    scales=tuple(number / 16 for number in (*range(4, 16), *range(16, 33, 2))),
)

# 24 pixels, two stages of one block, for generated sets whose placement is known (docs/method.md, "Controls"). Widths
# are in steps fine enough for every placement to have a network in [0.9, 1] of 1.9M MACs. Not proposed for other data.
CONTROLS = ResNetSpace(
    name="controls",
    resolution=24,
    stem="conv3",
    stem_widths=(16,),
    stages=(
        StageChoices(depths=(1,), widths=(32,), stride=2),
        StageChoices(depths=(1,), widths=(32, 40, 44, 48, 56, 64, 80, 96, 112, 128), stride=1),
    ),
    expansions=(0.5,),
    windows=(3, 5),
    heads=(1, 2),
)

NAMED: tuple[Space, ...] = (
    RESNET_NANO,
    RESNET_TINY,
    RESNET_IMAGENET,
    GLIT_NANO,
    GLIT_TINY,
    GLIT_SMALL,
    GLIT_BASE,
    FAB_NANO,
    FAB_26,
    FAB_50,
)
SPACES: Mapping[str, Space] = {space.name: space for space in (*NAMED, CONTROLS)}
KINDS: Mapping[str, Space] = {space.kind: space for space in reversed(NAMED)}  # the first named of each


def resolve_space(value: str | Mapping[str, Any]) -> Space:
    """The space that a name, or a mapping ``{base: NAME, dimension: [...], ...}``, stands for.

    Without a base the dimensions change the first named space of ``kind``, by default ``resnet``. UsageError for an
    unknown name, kind or dimension.
    """
    if not isinstance(value, str | Mapping):
        raise UsageError(f"a space is a name or a mapping of its dimensions, not {shown(value)}.")
    if isinstance(value, str):
        if value not in SPACES:
            raise UsageError(f'unknown space "{value}"; {nearest(value, list(SPACES))}')
        return SPACES[value]
    dimensions = {key: item for key, item in value.items() if key not in ("base", "kind")}
    kind = value.get("kind", RESNET_NANO.kind)
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f'unknown kind of space "{kind}"; {nearest(str(kind), list(KINDS))}')
    if others := [key for key in dimensions if not isinstance(key, str)]:
        raise UsageError(f"a dimension of a space is text, not {shown(others[0])}.")
    base = resolve_space(value["base"]) if "base" in value else KINDS[kind]
    if "base" in value and dimensions and "name" not in dimensions:
        dimensions["name"] = f"{base.name}-variant"
    return base.with_dimensions(**dimensions)


def space_for(kind: str, resolution: int) -> Space:
    """The first named space of a kind among those with the largest resolution that is not above ``resolution``.

    Where all are above it, those with the resolution of the first named space.
    """
    spaces = [space for space in NAMED if space.kind == kind]
    nearest_size = max((s.resolution for s in spaces if s.resolution <= resolution), default=spaces[0].resolution)
    return next(space for space in spaces if space.resolution == nearest_size)
