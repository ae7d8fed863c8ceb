"""Spatial operators, one a module named like the operator. Each has ``from_block``, ``forward``, ``macs`` and
``outputs``.
"""

from importlib import import_module
from typing import Protocol

from torch import Tensor, nn

from trionet_bench.networks.sharing import Axis
from trionet_bench.spaces.resnet import Block


class SpatialOperator(Protocol):
    """What stands between the two 1x1 convolutions of a block.

    ``outputs`` is the meaning of its output channels, which the second 1x1 convolution reads. It ends before the ReLU.
    """

    outputs: Axis

    def __call__(self, x: Tensor) -> Tensor: ...

    def macs(self, height: int, width: int) -> int:
        """Multiply-accumulates for one image whose feature map has this size when it enters."""
        ...


def build_operator(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> nn.Module:
    """The operator of a block.

    Args:
        block: the choice and its options.
        channels: mid width of the block.
        stride: 1 or 2.
        span: largest (height, width) of the feature map that enters.
        local_terms: how local attention is written, see ``spaces.resnet.ResNetArchitecture``.
    """
    module = import_module(f"{__name__}.{block.operator}")
    return module.from_block(block, channels, stride, span, local_terms)
