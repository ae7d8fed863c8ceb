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
    HeadProjection,
    RetrievalNorm,
    SimilarityNorm,
    head_size,
    kernel_type,
    pool,
    scaled_sum,
    term_moments,
)
from trionet_bench.networks.attention.unfolded import inside_windows, other_end, retrieval, similarity
from trionet_bench.networks.attention.window import Window, attend, observe
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
        if qkv.is_meta and not torch.compiler.is_compiling():  # to be counted: tensors would multiply at the border too
            return self._by_kernel(qkv)
        dtype = kernel_type(qkv)
        return self._by_tensors(qkv) if dtype is None else self._by_kernel(qkv.to(dtype)).to(qkv.dtype)

    def _by_kernel(self, qkv: Tensor) -> Tensor:
        query_table = self.query_positions.halves().to(qkv.dtype)
        if not self.sensitive:
            return attend(self.geometry, qkv, query_table)
        key_table, value_table = (t.halves().to(qkv.dtype) for t in (self.key_positions, self.value_positions))
        moments = observe(self.geometry, qkv, query_table, key_table) if self.similarity_norm.training else None
        scale = self.similarity_norm(moments, self.geometry.valid_pairs(qkv)).to(qkv.dtype)
        return attend(self.geometry, qkv, query_table, key_table, value_table, scale)

    def _by_tensors(self, qkv: Tensor) -> Tensor:
        """The same by tensor operations, which materialise all pairs of positions and offsets."""
        batch, _, height, width = qkv.shape
        inside = inside_windows(height, width, self.window, qkv.device)  # (H, W, window^2)
        q, k, v = (t.flatten(0, 1) for t in self.project.split(qkv))  # (B n, d, H, W)
        terms = [similarity(q, k, self.window), _at_offsets(q, self.query_positions())]  # (B n, H, W, window^2)
        if self.sensitive:
            # The pair (i, j) has offset j - i from its query i, and i - j from its key j.
            terms.append(other_end(_at_offsets(k, self.key_positions().flip(1)), self.window))
            terms = [term.unflatten(0, (batch, -1)) for term in terms]
            moments = term_moments(terms, inside) if self.similarity_norm.training else None
            total = scaled_sum(terms, self.similarity_norm(moments, self.geometry.valid_pairs(qkv))).flatten(0, 1)
        else:
            total = terms[0] + terms[1]
        attention = total.masked_fill(~inside, -torch.inf).softmax(dim=-1).to(v.dtype)
        retrieved = [retrieval(attention, v, self.window)]  # (B n, d_v, H, W)
        if self.sensitive:
            placed = torch.matmul(self.value_positions(), attention.flatten(1, 2).transpose(1, 2))
            retrieved.append(placed.view_as(retrieved[0]))
        return torch.cat([t.unflatten(0, (batch, -1)).flatten(1, 2) for t in retrieved], dim=1)

    def macs(self, height: int, width: int) -> int:
        """Projections, then q.k, q.r and a.v over the pairs on the map; position-sensitive also k.r and the positional
        value. Published counts also have the pairs of which one end is outside the map, where there is nothing to do.
        """
        qk, v = (2, 1) if not self.sensitive else (3, 2)
        products = self.project.count * (qk * self.project.qk_size + v * self.project.v_size)
        projections = height * width * self.project.qkv.weight.numel()
        return projections + self.geometry.pairs(height, width) * products


def _at_offsets(x: Tensor, table: Tensor) -> Tensor:
    """(N, d, H, W) with (d, window^2) to (N, H, W, window^2)."""
    products: Tensor = torch.matmul(x.flatten(2).transpose(1, 2), table).unflatten(1, x.shape[2:])
    return products


def build(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> LocalAttention:
    """The operator of a block. Its window ends at the map: a larger one has no more pairs, only unused positions."""
    options = block.options
    heads, window = int(options["heads"]), min(int(options["window"]), 2 * max(span) - 1)
    return LocalAttention(channels, heads, window, options["qk"], options["v"], stride, local_terms)
