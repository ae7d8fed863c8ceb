"""Spaces that are small enough to be counted by hand, and to be searched and trained in a moment."""

from itertools import product

from trionet_bench.spaces.choice import Genes, Space
from trionet_bench.spaces.resnet import ResNetSpace, StageChoices

# Stage 0 has one or two blocks, stage 1 has one. A block is a convolution (2 expansions), local attention (2
# expansions, 2 windows) or axial attention (2 expansions): 8 in all.
TINY = ResNetSpace(
    name="tiny",
    resolution=8,
    stem="conv3",
    stem_widths=(8,),
    stages=(
        StageChoices(depths=(1, 2), widths=(16,), stride=1),
        StageChoices(depths=(1,), widths=(16, 32), stride=2),
    ),
    expansions=(0.25, 0.5),
    windows=(3, 5),
    heads=(2,),
    qk=(0.5,),
    v=(1.0,),
)

# Every dimension has a choice, among them widths at which a shortcut comes and goes.
FOUR_STAGES = ResNetSpace(
    name="four-stages",
    resolution=16,
    stem="conv3-pool",
    stem_widths=(8, 16),
    stages=(
        StageChoices(depths=(1, 2), widths=(16, 24), stride=1),
        StageChoices(depths=(1, 2), widths=(24, 32), stride=2),
        StageChoices(depths=(1,), widths=(32,), stride=1),
        StageChoices(depths=(1, 2), widths=(32, 48), stride=2),
    ),
    kernels=(3, 5),
    heads=(2, 4),
    local_terms=("plain", "position_sensitive"),
)


def all_networks(space: Space) -> list[Genes]:
    """The canonical genes of every network of a space, each once."""
    everything = product(*(range(int(count)) for count in space.gene_counts))
    return list(dict.fromkeys(map(space.canonical, everything)))
