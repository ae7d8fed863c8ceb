"""Networks of the literature as architectures of the spaces at 224 pixels; ``profile`` takes their names.

ResNet (He et al. 2016, arXiv 1512.03385; 26 and 38 as in arXiv 1906.05909: one or two blocks fewer in each stage),
stand-alone local attention with a convolution stem, and with an attention stem (``sasa``; both arXiv 1906.05909), the
first also with position-sensitive attention (``_ps``), and Axial-ResNet with a convolution stem (both arXiv 2003.07853;
widths S, M and L are 0.5, 0.75 and 1 times a ResNet's, at twice its expansion); DeiT (arXiv 2012.12877) and the network
that GLiT found (arXiv 2107.02960), as its released code encodes it.
"""

from trionet_bench.errors import UsageError, nearest
from trionet_bench.spaces.choice import Architecture
from trionet_bench.spaces.presets import FAB_26, FAB_50, GLIT_BASE, GLIT_SMALL, GLIT_TINY
from trionet_bench.spaces.resnet_architecture import Block, ResNetArchitecture, Stage

DEPTHS = {26: (1, 2, 4, 1), 38: (2, 3, 5, 2), 50: (3, 4, 6, 3)}
WIDTHS = (256, 512, 1024, 2048)
AXIAL_SCALES = {"s": 0.5, "m": 0.75, "l": 1.0}


def _uniform(depth: int, block: Block, scale: float = 1.0, local_terms: str = "plain") -> ResNetArchitecture:
    stages = tuple(
        Stage(int(width * scale), stride, (block,) * blocks)
        for width, stride, blocks in zip(WIDTHS, (1, 2, 2, 2), DEPTHS[depth], strict=True)
    )
    return ResNetArchitecture("conv7-pool", int(64 * scale), local_terms, stages)


CONV = Block("conv", 0.25, kernel=3)
LOCAL = Block("local", 0.25, window=7, heads=8, qk=1.0, v=1.0)
AXIAL = Block("axial", 0.5, heads=8, qk=0.5, v=1.0)

# As in the released code: attending groups of each block, and the index of its details (``GLiTSpace.from_released``).
GLIT_TINY_FOUND = (3, 0, 1, 3, 0, 1, 3, 1, 0, 3, 0, 3), (1, 4, 8, 4, 8, 8, 3, 6, 8, 4, 5, 8)

PUBLISHED: dict[str, Architecture] = {
    **{f"resnet{depth}": _uniform(depth, CONV) for depth in DEPTHS},
    **{f"local_resnet{depth}": _uniform(depth, LOCAL) for depth in DEPTHS},
    **{f"local_resnet{d}_ps": _uniform(d, LOCAL, local_terms="position_sensitive") for d in DEPTHS},
    **{f"axial_resnet{d}_{s}": _uniform(d, AXIAL, scale) for d in DEPTHS for s, scale in AXIAL_SCALES.items()},
    "sasa26": FAB_26.all_local(1.0),
    "sasa50": FAB_50.all_local(1.0),
    "glit_tiny": GLIT_TINY.from_released(*GLIT_TINY_FOUND),
    "deit_tiny": GLIT_TINY.plain_transformer(192),
    "deit_small": GLIT_SMALL.plain_transformer(384),
    "deit_base": GLIT_BASE.plain_transformer(768),
}


def published(name: str) -> Architecture:
    """The published network of this name; UsageError with the nearest name where there is none."""
    if name not in PUBLISHED:
        raise UsageError(f'unknown network "{name}"; {nearest(name, list(PUBLISHED))}')
    return PUBLISHED[name]
