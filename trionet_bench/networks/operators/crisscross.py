"""Criss-cross attention: every position attends over its row and its column, itself once, in one softmax.

Huang et al. 2019, "CCNet" (arXiv 1811.11721). Departures, our choice: several heads, queries and keys of any size
(CCNet: an eighth of the channels), logits over the square root of the head size, no residual gain, since a block has a
shortcut of its own; and stride by average pooling after the attention, as of the other operators.
"""

import torch
from torch import Tensor

from trionet_bench.networks.attention import cross
from trionet_bench.networks.attention.dot_product import DotProductAttention
from trionet_bench.networks.attention.layers import kernel_type
from trionet_bench.spaces.resnet_architecture import Block


class CrissCrossAttention(DotProductAttention):
    """Context from the H + W - 1 positions in line with each."""

    def retrieve(self, qkv: Tensor) -> Tensor:
        """One softmax over row and column; by the C kernels where these are faster."""
        project = self.project
        if qkv.shape[0] * project.count < cross.LEAST or (dtype := kernel_type(qkv)) is None:
            return self.retrieve_by_tensors(qkv)
        return cross.attend(qkv.to(dtype), project.count, project.qk_size, project.v_size).to(qkv.dtype)

    def retrieve_by_tensors(self, qkv: Tensor) -> Tensor:
        """``retrieve`` by operations of torch."""
        q, k, v = self.project.split(qkv)
        height, width = v.shape[3:]
        rows = [t.permute(0, 1, 3, 4, 2) for t in (q, k, v)]  # (B, n, H, W, d)
        columns = [t.transpose(2, 3) for t in rows]  # (B, n, W, H, d)
        along_row, along_column = (torch.matmul(q, k.transpose(3, 4)) for q, k, _ in (rows, columns))
        itself = torch.eye(height, dtype=torch.bool, device=v.device)  # is in the row already
        along_column = along_column.masked_fill(itself, -torch.inf).transpose(2, 3)  # (B, n, H, W, H)
        logits = torch.cat([along_row, along_column], dim=4) * self.project.qk_size**-0.5  # (B, n, H, W, W + H)
        by_row, by_column = logits.softmax(dim=4).to(v.dtype).split([width, height], dim=4)
        retrieved = torch.matmul(by_row, rows[2])  # (B, n, H, W, d)
        retrieved = retrieved + torch.matmul(by_column.transpose(2, 3), columns[2]).transpose(2, 3)
        return retrieved.permute(0, 1, 4, 2, 3).flatten(1, 2)

    def keys(self, height: int, width: int) -> int:
        """Row and column; a position meets itself in both, and counts in one."""
        return height + width


def build(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> CrissCrossAttention:
    """The operator of a block."""
    options = block.options
    return CrissCrossAttention(channels, int(options["heads"]), options["qk"], options["v"], stride)
