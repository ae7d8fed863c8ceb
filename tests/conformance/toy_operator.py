"""An operator that is not part of the package, with neither weights of its own nor MACs: the mean of a window."""

import torch.nn.functional as F
from torch import Tensor

from trionet_bench.networks.layers import BatchNorm
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.networks.sharing import channels as plain
from trionet_bench.spaces.operators import WINDOW, OperatorSpec
from trionet_bench.spaces.resnet_architecture import Block


class WindowMean(SpatialOperator):
    def __init__(self, channels: int, window: int, stride: int) -> None:
        super().__init__()
        self.window, self.stride = window, stride
        self.outputs = plain(channels)
        self.norm = BatchNorm(self.outputs)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(F.avg_pool2d(x, self.window, self.stride, padding=self.window // 2))
        return normed

    def macs(self, height: int, width: int) -> int:
        return 0


def build(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> WindowMean:
    return WindowMean(channels, int(block.options["window"]), stride)


SPEC = OperatorSpec(
    name="mean",
    code="m",
    label="window mean",
    skeleton="resnet",
    builder=build,
    colour="#6b3fa0",
    hatch="oo",
    marker="*",
    line=(0, (6, 2)),
    options={WINDOW: 5},
)
