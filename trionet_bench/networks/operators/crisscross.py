"""Criss-cross attention: every position attends over its row and its column, itself once, in one softmax.

Huang et al. 2019, "CCNet" (arXiv 1811.11721). Departures, our choice: several heads, queries and keys of any size
(CCNet: an eighth of the channels), logits over the square root of the head size, no residual gain, since a block has a
shortcut of its own; and stride by average pooling after the attention, as of the other operators.
"""

import torch
from torch import Tensor

from trionet_bench.networks.attention.layers import HeadProjection, head_size, pool
from trionet_bench.networks.layers import BatchNorm
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.networks.sharing import channels as plain
from trionet_bench.networks.sharing import heads as head_axis
from trionet_bench.spaces.resnet_architecture import Block


class CrissCrossAttention(SpatialOperator):
    """Context from the H + W - 1 positions in line with each.

    Args:
        channels: input channels C.
        heads: attention heads n.
        qk, v: query/key and value size over C.
        stride: 1 or 2.

    (B, C, H, W) to (B, n d_v, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, channels: int, heads: int, qk: float = 1.0, v: float = 1.0, stride: int = 1) -> None:
        super().__init__()
        qk_size, v_size = head_size(qk, channels, heads), head_size(v, channels, heads)
        self.stride = stride
        self.outputs = head_axis(heads, v_size)
        self.project = HeadProjection(plain(channels), heads, qk_size, v_size, normalised=False)
        self.norm = BatchNorm(self.outputs)

    def forward(self, x: Tensor) -> Tensor:
        rows = [t.permute(0, 1, 3, 4, 2) for t in self.project.split(self.project(x))]  # q, k, v (B, n, H, W, d)
        columns = [t.transpose(2, 3) for t in rows]  # (B, n, W, H, d)
        along_row, along_column = (torch.matmul(q, k.transpose(3, 4)) for q, k, _ in (rows, columns))
        itself = torch.eye(x.shape[2], dtype=torch.bool, device=x.device)  # is in the row already
        along_column = along_column.masked_fill(itself, -torch.inf).transpose(2, 3)  # (B, n, H, W, H)
        logits = torch.cat([along_row, along_column], dim=4) * self.project.qk_size**-0.5  # (B, n, H, W, W + H)
        by_row, by_column = logits.softmax(dim=4).to(rows[2].dtype).split([x.shape[3], x.shape[2]], dim=4)
        retrieved = torch.matmul(by_row, rows[2])  # (B, n, H, W, d)
        retrieved = retrieved + torch.matmul(by_column.transpose(2, 3), columns[2]).transpose(2, 3)
        return pool(self.norm(retrieved.permute(0, 1, 4, 2, 3).flatten(1, 2)), self.stride)

    def macs(self, height: int, width: int) -> int:
        """Projections, then q.k and a.v over the row and over the column; a position meets itself in both, and counts
        in one.
        """
        products = self.project.count * (self.project.qk_size + self.project.v_size)
        return height * width * (self.project.qkv.weight.numel() + (height + width) * products)


def build(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> CrissCrossAttention:
    """The operator of a block."""
    options = block.options
    return CrissCrossAttention(channels, int(options["heads"]), options["qk"], options["v"], stride)
