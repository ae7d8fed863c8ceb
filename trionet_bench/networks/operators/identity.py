"""No mixing of positions: a block with it is a channel MLP, and a network of them sees beyond a pixel only by its stem
and strides.

MetaFormer's control (Yu et al. 2022, arXiv 2210.13452): how far does the skeleton get without any spatial operator?
Strides are average pooling, as after attention (our choice).
"""

from torch import Tensor

from trionet_bench.networks.attention.layers import pool
from trionet_bench.networks.layers import BatchNorm
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.networks.sharing import channels as plain
from trionet_bench.spaces.resnet_architecture import Block


class Identity(SpatialOperator):
    """(B, C, H, W) to (B, C, ceil(H / stride), ceil(W / stride)), normalised.

    Args:
        channels: input and output channels C.
        stride: 1 or 2.
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.outputs = plain(channels)
        self.norm = BatchNorm(self.outputs)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(pool(x, self.stride))
        return normed

    def macs(self, height: int, width: int) -> int:
        """None."""
        return 0


def build(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> Identity:
    """The operator of a block."""
    return Identity(channels, stride)
