"""Convolution: k x k, dense, with batch normalisation, as in a ResNet bottleneck (He et al. 2016, arXiv 1512.03385)."""

from torch import Tensor

from trionet_bench.networks.layers import BatchNorm, Convolution2d
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.networks.sharing import channels as plain
from trionet_bench.spaces.resnet_architecture import Block


class Convolution(SpatialOperator):
    """Stride is on the convolution.

    Args:
        channels: input and output channels C.
        kernel: odd size in pixels.
        stride: 1 or 2.

    (B, C, H, W) to (B, C, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, channels: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.outputs = plain(channels)
        self.conv = Convolution2d(self.outputs, self.outputs, kernel, stride)
        self.norm = BatchNorm(self.outputs)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.conv(x))
        return normed

    def macs(self, height: int, width: int) -> int:
        """k^2 C^2 for each output position."""
        return self.conv.macs(height, width)


def build(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> Convolution:
    """The operator of a block."""
    return Convolution(channels, int(block.options["kernel"]), stride)
