"""The locality module: a gated one-dimensional convolution along the tokens.

Chen et al. 2021, "GLiT" (arXiv 2107.02960), as the released code has it: the convolution module of Conformer (arXiv
2005.08100) without its own layer normalisation and dropout. The sequence is the class token, then the patches row by
row, so a kernel reaches over the ends of rows. The distributions of initial weights have torch's standard deviations
but are normal, and biases begin at 0 (our choice).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.networks.layers import Linear, ParamModule, ParamSpec, SequenceBatchNorm
from trionet_bench.networks.sharing import Axis, centred, channels, fixed, terms
from trionet_bench.spaces.glit_architecture import GLiTBlock


class DepthwiseConvolution1d(ParamModule):
    """A kernel for each channel, with same padding and a bias. (B, C, T) to (B, C, T)."""

    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, axis: Axis, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.declare(
            weight=ParamSpec((axis, fixed(1), centred(kernel)), std=(3 * kernel) ** -0.5), bias=ParamSpec((axis,))
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(x, self.weight, self.bias, padding=self.kernel // 2, groups=x.shape[1])

    def macs(self, tokens: int) -> int:
        """For a sequence of this length."""
        return self.weight.numel() * tokens


class Locality(nn.Module):
    """1x1 convolution, GLU, depthwise convolution, batch normalisation, Swish, 1x1 convolution.

    Args:
        width: input and output channels C.
        expansion: channels of the depthwise convolution over C.
        kernel: odd, in tokens.

    (B, T, C) to (B, T, C).
    """

    def __init__(self, width: int, expansion: int, kernel: int) -> None:
        super().__init__()
        outer, inner = channels(width), channels(expansion * width)
        self.expand = Linear(outer, terms(2, inner), std=(3 * width) ** -0.5)
        self.conv = DepthwiseConvolution1d(inner, kernel)
        self.norm = SequenceBatchNorm(inner)
        self.reduce = Linear(inner, outer, std=(3 * expansion * width) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.glu(self.expand(x)).transpose(1, 2)  # (B, E C, T)
        x = F.silu(self.norm(self.conv(x)))
        reduced: Tensor = self.reduce(x.transpose(1, 2))
        return reduced

    def macs(self, tokens: int) -> int:
        """T C E (2 C + K + C): the gate doubles what the first 1x1 convolution computes."""
        return self.expand.macs(tokens) + self.conv.macs(tokens) + self.reduce.macs(tokens)

    def gate_macs(self, tokens: int) -> int:
        """What the gate adds to the first 1x1 convolution, T C E C; GLiT's code leaves it out of its count."""
        return self.expand.macs(tokens) // 2


def build(block: GLiTBlock, channels: int, width: int, heads: int) -> Locality:
    """The convolved part of a block."""
    assert block.expansion is not None and block.kernel is not None
    return Locality(channels, block.expansion, block.kernel)
