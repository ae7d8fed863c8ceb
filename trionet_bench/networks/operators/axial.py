"""Axial self-attention: position-sensitive attention along the height, then along the width.

Wang et al. 2020, "Axial-DeepLab" (arXiv 2003.07853), equations 3 and 4: logits q.k + q.r + k.r, values v + r, batch
normalisation on q/k/v, on the similarity terms and on the retrieved values, no scaling by the head size; stride by
average pooling after the width pass. Departures, our choice: any height and width up to the span (tables are read
around their centre, where the paper fixes the size), and averages without padding at odd sizes, so that a strided
block has the output size of a strided convolution.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from trionet_bench.networks.attention.layers import (
    LINES,
    HeadProjection,
    RetrievalNorm,
    SimilarityNorm,
    head_size,
    pool,
    retrieve,
)
from trionet_bench.networks.attention.window import Lines, Window
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
            raise ValueError(
                f"axial attention over {length} pixels, but its position tables span {self.span}; "
                "build it with a larger span"
            )
        tables = [self.query_positions, self.key_positions, self.value_positions]
        reached = slice(self.span - length, self.span + length - 1)  # offsets within the line
        retrieved = self.retrieve(self.project(x), [table[:, reached] for table in tables])
        normed: Tensor = self.retrieval_norm(retrieved)
        return normed

    @torch.no_grad()
    def grow(self, span: int) -> None:
        """Position tables for lines up to ``span``: present offsets keep their vectors, others are drawn from torch's
        generator as initial ones are. ValueError for a shorter span. The parameters are new ones.
        """
        more = span - self.span
        if more < 0:
            raise ValueError(f"position tables that span {self.span} cannot shrink to {span}")
        grown = {}
        for name, spec in list(self.specs.items()):
            present = self.get_parameter(name)  # (d, 2 span - 1), offset 0 in the middle
            table = torch.empty(present.shape[0], 2 * span - 1, dtype=present.dtype, device=present.device)
            table.normal_(0, spec.std)[:, more : more + present.shape[1]] = present
            self.specs[name] = replace(spec, axes=(spec.axes[0], centred(2 * span - 1)))
            grown[name] = nn.Parameter(table)
        for name, parameter in grown.items():
            self.register_parameter(name, parameter)
        self.span = span

    def retrieve(self, qkv: Tensor, tables: list[Tensor]) -> Tensor:
        """(B, n (2 d_qk + d_v), H, W), and query, key and value positions (d, 2 length - 1), to (B, 2 n d_v, H, W)."""
        project = self.project
        geometry = Window(project.count, project.qk_size, project.v_size, 0, 0, 1, tables[0].shape[1], self.lines)
        return retrieve(geometry, qkv, [table.flatten() for table in tables], self.similarity_norm, LINES)

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
