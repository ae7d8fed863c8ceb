"""The named spaces, and how a suite file's ``space:`` becomes one."""

from collections.abc import Mapping
from typing import Any

from trionet_bench.errors import UsageError, nearest
from trionet_bench.spaces.choice import Space
from trionet_bench.spaces.resnet import ResNetSpace, StageChoices

# 16 to 32 pixels, about 0.5 to 20 M MACs at 16: a study on two CPU cores takes minutes.
RESNET_NANO = ResNetSpace(
    name="resnet-nano",
    resolution=16,
    stem="conv3",
    stem_widths=(16,),
    stages=(
        StageChoices(depths=(1, 2), widths=(24, 32, 48), stride=1),
        StageChoices(depths=(1, 2), widths=(48, 64, 96), stride=2),
        StageChoices(depths=(1, 2), widths=(96, 128, 192), stride=2),
    ),
    heads=(2, 4),
)

# 64 to 96 pixels: photographs on a laptop or one GPU.
RESNET_TINY = ResNetSpace(
    name="resnet-tiny",
    resolution=64,
    stem="conv3-pool",
    stem_widths=(32,),
    stages=(
        StageChoices(depths=(1, 2), widths=(64, 96, 128), stride=1),
        StageChoices(depths=(1, 2), widths=(128, 192, 256), stride=2),
        StageChoices(depths=(1, 2, 3), widths=(256, 384, 512), stride=2),
        StageChoices(depths=(1, 2), widths=(256, 384, 512), stride=2),
    ),
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

SPACES: Mapping[str, Space] = {space.name: space for space in (RESNET_NANO, RESNET_TINY, RESNET_IMAGENET)}


def resolve_space(value: str | Mapping[str, Any]) -> Space:
    """A named space, or ``{base: NAME, dimension: [...], ...}``; UsageError for what is unknown."""
    if isinstance(value, str):
        if value not in SPACES:
            raise UsageError(f'unknown space "{value}"; {nearest(value, list(SPACES))}')
        return SPACES[value]
    dimensions = {key: item for key, item in value.items() if key not in ("base", "kind")}
    base = resolve_space(value.get("base", "resnet-nano"))
    if not isinstance(base, ResNetSpace):
        raise UsageError(f'the dimensions of space "{base.name}" cannot be changed.')
    if "base" in value and dimensions and "name" not in dimensions:
        dimensions["name"] = f"{base.name}-variant"
    return base.with_dimensions(**dimensions)
