"""What an operator of a ResNet block is, and how it is built from its declaration in ``spaces.operators``.

A builder of the ``resnet`` skeleton is called as ``build(block, channels, stride, span, local_terms)`` with the
arguments of ``build_operator``; one of the ``glit`` skeleton as ``build(block, channels, width, heads)``, see
``networks.vit``.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from trionet_bench.networks.sharing import Axis
from trionet_bench.spaces.operators import OPERATORS
from trionet_bench.spaces.resnet_architecture import Block


class SpatialOperator(nn.Module, ABC):
    """The operator between the two 1x1 convolutions of a block; the ReLU after it is the block's.

    (B, C, H, W) to (B, ``outputs``, ceil(H / stride), ceil(W / stride)).

    Its layers declare what the dimensions of their weights mean (``networks.layers``), so that a supernet can hold it.
    ``outputs`` is the meaning of its output channels, which the second 1x1 convolution reads.
    """

    outputs: Axis

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The output ends with a normalisation."""

    @abstractmethod
    def macs(self, height: int, width: int) -> int:
        """Multiply-accumulates for one image whose feature map has this size when it enters; equal to the
        operator-level count of ``networks.mac_totals``.
        """


def build_operator(
    block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str
) -> SpatialOperator:
    """The operator of a block, without initial weights.

    Args:
        block: the choice and its options.
        channels: mid width of the block.
        stride: 1 or 2.
        span: largest (height, width) of the feature map that enters.
        local_terms: how local attention is written, see ``spaces.resnet_architecture.ResNetArchitecture``.
    """
    operator = OPERATORS.get(block.operator).build(block, channels, stride, span, local_terms)
    if not isinstance(operator, SpatialOperator):
        raise TypeError(f'the builder of operator "{block.operator}" gives {type(operator)}, no SpatialOperator')
    return operator
