"""Local self-attention: every position attends over the window around it.

Ramachandran et al. 2019, "Stand-Alone Self-Attention in Vision Models" (arXiv 1906.05909): logits q.k + q.r, where r is
half row offset and half column offset, shared by the heads; full C x C projections, as the published parameter counts
require; 2x2 average pooling after the attention where the block has a stride. ``position_sensitive`` adds k.r, the
positional value and the normalisations of axial attention (Axial-DeepLab, arXiv 2003.07853, Table 1, +0.7 top-1). Keys
outside the image are masked (our choice; neither paper says).
"""

import torch
from torch import Tensor, nn

from trionet_bench.networks.attention.layers import (
    BLOCKS,
    KERNELS,
    HeadProjection,
    RetrievalNorm,
    SimilarityNorm,
    head_size,
    pool,
    retrieve,
)
from trionet_bench.networks.attention.window import Window
from trionet_bench.networks.layers import BatchNorm, ParamModule, ParamSpec
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.networks.sharing import centred, dims, halved_heads
from trionet_bench.networks.sharing import channels as plain
from trionet_bench.spaces.resnet_architecture import Block


class WindowPositions(ParamModule):
    """One vector of d dimensions for each offset in the window: (d, window^2).

    Its first half depends on the row offset, its second half on the column offset; ``heads`` heads have it in common.
    """

    rows: nn.Parameter
    columns: nn.Parameter

    def __init__(self, size: int, window: int, heads: int) -> None:
        super().__init__()
        half = ParamSpec((dims(size // 2, heads), centred(window)), std=size**-0.5)
        self.declare(rows=half, columns=half)

    def forward(self) -> Tensor:
        window = self.rows.shape[1]
        rows = self.rows[:, :, None].expand(-1, -1, window)  # (d/2, k, k)
        columns = self.columns[:, None, :].expand(-1, window, -1)
        return torch.cat([rows, columns]).flatten(1)

    def halves(self) -> Tensor:
        """The row table, then the column table, flat."""
        return torch.cat([self.rows.flatten(), self.columns.flatten()])


class LocalAttention(SpatialOperator):
    """Context from a square window.

    Args:
        channels: input channels C.
        heads: attention heads n.
        window: odd side of the window in pixels.
        qk, v: query/key and value size over C.
        stride: 1 or 2.
        terms: ``plain`` or ``position_sensitive``.

    (B, C, H, W) to (B, n d_v, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self,
        channels: int,
        heads: int = 8,
        window: int = 7,
        qk: float = 1.0,
        v: float = 1.0,
        stride: int = 1,
        terms: str = "plain",
    ) -> None:
        super().__init__()
        self.window, self.stride, self.sensitive = window, stride, terms == "position_sensitive"
        qk_size, v_size = head_size(qk, channels, heads), head_size(v, channels, heads)
        self.geometry = Window(heads, qk_size, v_size, qk_size // 2, v_size // 2, window, window)
        self.outputs = halved_heads(heads, v_size)
        self.project = HeadProjection(plain(channels), heads, qk_size, v_size, self.sensitive, halved=True)
        self.query_positions = WindowPositions(qk_size, window, heads)
        if self.sensitive:
            self.key_positions = WindowPositions(qk_size, window, heads)
            self.value_positions = WindowPositions(v_size, window, heads)
            self.similarity_norm = SimilarityNorm(3, heads)
            self.retrieval_norm = RetrievalNorm(self.outputs)
        else:
            self.norm = BatchNorm(self.outputs)

    def forward(self, x: Tensor) -> Tensor:
        retrieved = self.retrieve(self.project(x))
        return pool((self.retrieval_norm if self.sensitive else self.norm)(retrieved), self.stride)

    def retrieve(self, qkv: Tensor) -> Tensor:
        """(B, n (2 d_qk + d_v), H, W) to (B, n d_v, H, W), position-sensitive (B, 2 n d_v, H, W)."""
        positions, norm = [self.query_positions], None
        if self.sensitive:
            positions, norm = [*positions, self.key_positions, self.value_positions], self.similarity_norm
        # On the meta device it is counted, where blocks would also multiply what lies outside of windows and map.
        counted = qkv.is_meta and not torch.compiler.is_compiling()
        return retrieve(self.geometry, qkv, [p.halves() for p in positions], norm, KERNELS if counted else BLOCKS)

    def macs(self, height: int, width: int) -> int:
        """Projections, then q.k, q.r and a.v over the pairs on the map; position-sensitive also k.r and the positional
        value. Published counts also have the pairs of which one end is outside the map, where there is nothing to do.
        """
        qk, v = (2, 1) if not self.sensitive else (3, 2)
        products = self.project.count * (qk * self.project.qk_size + v * self.project.v_size)
        projections = height * width * self.project.qkv.weight.numel()
        return projections + self.geometry.pairs(height, width) * products


def build(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> LocalAttention:
    """The operator of a block. Its window ends at the map: a larger one has no more pairs, only unused positions."""
    options = block.options
    heads, window = int(options["heads"]), min(int(options["window"]), 2 * max(span) - 1)
    return LocalAttention(channels, heads, window, options["qk"], options["v"], stride, local_terms)
