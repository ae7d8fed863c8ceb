"""A ResNet whose blocks hold all their candidates at once, weighted by one softmax for each block.

The relaxation of Liu et al. 2019, "DARTS" (arXiv 1806.09055), over the operators of a block; its two 1x1 convolutions
are shared by the candidates, as in a supernet.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from trionet_bench.networks.layers import ParamModule, ParamSpec
from trionet_bench.networks.operators.base import SpatialOperator, build_operator
from trionet_bench.networks.resnet import ResNet, mid_width
from trionet_bench.networks.sharing import fixed
from trionet_bench.spaces.resnet_architecture import Block


class Mixture(ParamModule, SpatialOperator):
    """Candidates of one block, whose outputs are added by their weights; all have as many output channels.

    Args:
        candidates: in the order of the logits.
    """

    logits: nn.Parameter

    def __init__(self, candidates: Sequence[SpatialOperator]) -> None:
        super().__init__()
        self.declare(logits=ParamSpec((fixed(len(candidates)),), decays=False))
        self.outputs = candidates[0].outputs
        self.candidates = nn.ModuleList(candidates)

    def forward(self, x: Tensor) -> Tensor:
        outputs = [candidate(x) for candidate in self.candidates]
        mixed: Tensor = torch.stack([w * out for w, out in zip(self.logits.softmax(0), outputs, strict=True)]).sum(0)
        return mixed

    def macs(self, height: int, width: int) -> int:
        """Of all candidates."""
        return sum(c.macs(height, width) for c in self.candidates if isinstance(c, SpatialOperator))


def mix(network: ResNet, candidates: Mapping[tuple[int, int], Sequence[Block]], resolution: int) -> list[Mixture]:
    """Replace the operator of every block by a mixture, in place; returns the mixtures in the order of the blocks.

    Args:
        candidates: of each (stage, block), differing in their operators alone.
        resolution: side of the images.
    """
    size, mixtures = network.stem.output_size(resolution), []
    for s, (stage, blocks) in enumerate(zip(network.architecture.stages, network.blocks, strict=True)):
        for b, block in enumerate(blocks):
            operators = [
                build_operator(each, mid_width(each, stage.width), block.stride, (size, size), "plain")
                for each in candidates[s, b]
            ]
            mixtures.append(Mixture(operators))
            block.add_module(block.operator_name, mixtures[-1])
            size = -(-size // block.stride)
    return mixtures


def split_parameters(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The logits of all mixtures, and all other parameters."""
    logits = [module.logits for module in network.modules() if isinstance(module, Mixture)]
    taken = {*map(id, logits)}
    return logits, [p for p in network.parameters() if id(p) not in taken]
