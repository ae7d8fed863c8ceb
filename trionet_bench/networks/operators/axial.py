"""Axial self-attention: position-sensitive attention along the height, then along the width.

Wang et al. 2020, "Axial-DeepLab" (arXiv 2003.07853), equations 3 and 4: logits q.k + q.r + k.r, values v + r, batch
normalisation on q/k/v, on the similarity terms and on the retrieved values, no scaling by the head size; stride by
average pooling after the width pass. Departures, our choice: any height and width up to the span (tables are read
around their centre, where the paper fixes the size), and averages without padding at odd sizes, so that a strided
block has the output size of a strided convolution.
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
from trionet_bench.networks.attention.window import Lines, Window, attend, observe
from trionet_bench.networks.layers import ParamModule, ParamSpec
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.networks.sharing import Axis, centred, dims
from trionet_bench.networks.sharing import channels as plain
from trionet_bench.networks.sharing import heads as head_axis
from trionet_bench.spaces.resnet_architecture import Block


class LineAttention(ParamModule):
    """Attention of every position over its row or column.

    Args:
        inputs: meaning of the input channels.
        count: heads n.
        qk_size, v_size: dimensions per head of queries and keys, and of values.
        span: longest line that the position tables cover.
        lines: "rows" or "columns".

    (B, C, H, W), lines at most ``span`` long, to (B, n d_v, H, W); ValueError beyond.
    """

    query_positions: nn.Parameter
    key_positions: nn.Parameter
    value_positions: nn.Parameter

    def __init__(self, inputs: Axis, count: int, qk_size: int, v_size: int, span: int, lines: Lines) -> None:
        super().__init__()
        self.span, self.lines = span, lines
        self.outputs = head_axis(count, v_size)
        self.project = HeadProjection(inputs, count, qk_size, v_size, normalised=True)
        offsets = centred(2 * span - 1)
        std = (qk_size + v_size) ** -0.5
        self.declare(
            query_positions=ParamSpec((dims(qk_size, count), offsets), std=std),
            key_positions=ParamSpec((dims(qk_size, count), offsets), std=std),
            value_positions=ParamSpec((dims(v_size, count), offsets), std=std),
        )
        self.similarity_norm = SimilarityNorm(3, count)
        self.retrieval_norm = RetrievalNorm(self.outputs)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[3] if self.lines == "rows" else x.shape[2]
        if length > self.span:
            raise ValueError(f"axial attention over {length} pixels, but its position tables span {self.span}")
        tables = [self.query_positions, self.key_positions, self.value_positions]
        reached = slice(self.span - length, self.span + length - 1)  # offsets within the line
        retrieved = self.retrieve(self.project(x), [table[:, reached] for table in tables])
        normed: Tensor = self.retrieval_norm(retrieved)
        return normed

    def retrieve(self, qkv: Tensor, tables: list[Tensor]) -> Tensor:
        """(B, n (2 d_qk + d_v), H, W), and query, key and value positions (d, 2 length - 1), to (B, 2 n d_v, H, W)."""
        dtype = kernel_type(qkv)
        if dtype is None:
            return self._by_tensors(qkv, tables)
        return self._by_kernel(qkv.to(dtype), [table.to(dtype) for table in tables]).to(qkv.dtype)

    def _geometry(self, offsets: int) -> Window:
        project = self.project
        return Window(project.count, project.qk_size, project.v_size, 0, 0, 1, offsets, self.lines)

    def _by_kernel(self, qkv: Tensor, tables: list[Tensor]) -> Tensor:
        window = self._geometry(tables[0].shape[1])
        query_table, key_table, value_table = (table.flatten() for table in tables)
        moments = observe(window, qkv, query_table, key_table) if self.similarity_norm.training else None
        scale = self.similarity_norm(moments, window.valid_pairs(qkv)).to(qkv.dtype)
        return attend(window, qkv, query_table, key_table, value_table, scale)

    def _by_tensors(self, qkv: Tensor, tables: list[Tensor]) -> Tensor:
        """The same by matrix products; those with positions are one for each position i or j, over all lines."""
        q, k, v = self.project.split(qkv if self.lines == "rows" else qkv.transpose(2, 3))  # (B, n, d, lines, length)
        batch, heads, _, lines, length = q.shape
        q, k, v = (t.transpose(2, 3).flatten(0, 2) for t in (q, k, v))  # (N, d, length), N = B n lines
        index = torch.arange(length, device=q.device)
        index = index[None, :] - index[:, None] + length - 1
        r_q, r_k, r_v = (table.to(q.dtype)[:, index] for table in tables)  # (d, i, j)
        by_query = torch.bmm(q.permute(2, 0, 1), r_q.transpose(0, 1))  # (i, N, j)
        by_key = torch.bmm(k.permute(2, 0, 1), r_k.permute(2, 0, 1))  # (j, N, i)
        terms = [torch.bmm(q.transpose(1, 2), k), by_query.transpose(0, 1), by_key.permute(1, 2, 0)]  # (N, i, j)
        terms = [term.unflatten(0, (batch, heads, lines)) for term in terms]
        moments = term_moments(terms) if self.similarity_norm.training else None
        scale = self.similarity_norm(moments, batch * lines * length * length)
        attention = scaled_sum(terms, scale).softmax(dim=-1).to(v.dtype).flatten(0, 2)  # (N, i, j)
        content = torch.bmm(v, attention.transpose(1, 2))  # (N, d, i)
        placed = torch.bmm(r_v.transpose(0, 1), attention.permute(1, 2, 0)).permute(2, 1, 0)  # (N, d, i)
        retrieved: Tensor = torch.stack([content, placed]).unflatten(1, (batch, heads, lines))  # (2, B, n, lines, d, i)
        retrieved = retrieved.permute(1, 0, 2, 4, 3, 5).flatten(1, 3)  # (B, 2 n d, lines, i)
        return retrieved if self.lines == "rows" else retrieved.transpose(2, 3)

    def macs(self, height: int, width: int) -> int:
        """Projections, then three similarity products and two retrievals over the line."""
        length = width if self.lines == "rows" else height
        products = self.project.count * (3 * self.project.qk_size + 2 * self.project.v_size)
        return height * width * (self.project.qkv.weight.numel() + length * products)


class AxialAttention(SpatialOperator):
    """Global context in two passes of linear attention span.

    Args:
        channels: input channels C.
        heads: attention heads n.
        span: largest (height, width) of the input.
        qk, v: query/key and value size over C.
        stride: 1 or 2.

    (B, C, H, W) with H and W at most ``span`` to (B, n d_v, ceil(H / stride), ceil(W / stride)); ValueError beyond.
    """

    line = LineAttention

    def __init__(
        self, channels: int, heads: int, span: tuple[int, int], qk: float = 0.5, v: float = 1.0, stride: int = 1
    ) -> None:
        super().__init__()
        qk_size, v_size = head_size(qk, channels, heads), head_size(v, channels, heads)
        self.stride = stride
        self.height = self.line(plain(channels), heads, qk_size, v_size, span[0], "columns")
        self.width = self.line(self.height.outputs, heads, qk_size, v_size, span[1], "rows")
        self.outputs = self.width.outputs

    def forward(self, x: Tensor) -> Tensor:
        return pool(self.width(self.height(x)), self.stride)

    def macs(self, height: int, width: int) -> int:
        """Both passes run before the stride."""
        return self.height.macs(height, width) + self.width.macs(height, width)


def build(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> AxialAttention:
    """The operator of a block."""
    options = block.options
    return AxialAttention(channels, int(options["heads"]), span, options["qk"], options["v"], stride)
