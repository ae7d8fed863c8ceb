"""Axial self-attention: position-sensitive attention along the height, then along the width.

Wang et al. 2020, "Axial-DeepLab" (arXiv 2003.07853), equations 3 and 4: logits q.k + q.r + k.r, values v + r, batch
normalisation on q/k/v, on the similarity terms and on the retrieved values, no scaling by the head size; stride by
average pooling after the width pass. Departures, our choice: any height and width up to the span (tables are read
around their centre, where the paper fixes the size), and a padded-free average at odd sizes, so that a strided block
halves like a strided convolution does.
"""

import torch
from torch import Tensor, nn

from trionet_bench.networks.attention import HeadProjection, RetrievalNorm, SimilarityNorm, head_size, pool
from trionet_bench.networks.layers import Specified, Weight
from trionet_bench.networks.sharing import Axis, centred, dims
from trionet_bench.networks.sharing import channels as plain
from trionet_bench.networks.sharing import heads as head_axis
from trionet_bench.spaces.resnet import Block


class RowAttention(Specified):
    """Attention of every position over its own row.

    Args:
        inputs: meaning of the input channels.
        count: heads n.
        qk_size, v_size: dimensions per head of queries and keys, and of values.
        span: longest row that the position tables cover.

    (B, C, H, W) with W at most ``span`` to (B, n d_v, H, W); ValueError beyond.
    """

    def __init__(self, inputs: Axis, count: int, qk_size: int, v_size: int, span: int) -> None:
        super().__init__()
        self.span = span
        self.project = HeadProjection(inputs, count, qk_size, v_size, normalised=True)
        offsets = centred(2 * span - 1)
        std = (qk_size + v_size) ** -0.5
        self.declare(
            query_positions=Weight((dims(qk_size), offsets), std=std),
            key_positions=Weight((dims(qk_size), offsets), std=std),
            value_positions=Weight((dims(v_size), offsets), std=std),
        )
        self.similarity_norm = SimilarityNorm(3, count)
        self.retrieval_norm = RetrievalNorm(count, v_size)

    def _relative(self, table: Tensor, length: int) -> Tensor:
        """(d, 2 span - 1) to (d, i, j): the entry for offset j - i."""
        positions = torch.arange(length, device=table.device)
        index = positions[None, :] - positions[:, None] + self.span - 1
        return table[:, index]

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[3]
        if length > self.span:
            raise ValueError(f"axial attention over {length} pixels, but its position tables span {self.span}")
        q, k, v = self.project(x)  # (B, n, d, H, W)
        r_q, r_k, r_v = (
            self._relative(table, length) for table in (self.query_positions, self.key_positions, self.value_positions)
        )
        similarity = self.similarity_norm(
            [
                torch.einsum("bndhi,bndhj->bnhij", q, k),
                torch.einsum("bndhi,dij->bnhij", q, r_q),
                torch.einsum("bndhj,dij->bnhij", k, r_k),
            ]
        )
        attention = similarity.softmax(dim=-1).to(v.dtype)  # (B, n, H, i, j)
        content = torch.einsum("bnhij,bndhj->bndhi", attention, v)
        position = torch.einsum("bnhij,dij->bndhi", attention, r_v)
        return self.retrieval_norm(content, position)  # (B, n d_v, H, W)

    def macs(self, height: int, width: int) -> int:
        """Projections, then three similarity products and two retrievals over the row."""
        products = self.project.count * (3 * self.project.qk_size + 2 * self.project.v_size)
        return height * width * (self.project.qkv.weight.numel() + width * products)


class AxialAttention(nn.Module):
    """Global context in two passes of linear attention span.

    Args:
        channels: input channels C.
        heads: attention heads n.
        span: largest (height, width) of the input.
        qk, v: query/key and value size over C.
        stride: 1 or 2.

    (B, C, H, W) with H and W at most ``span`` to (B, n d_v, ceil(H / stride), ceil(W / stride)); ValueError beyond.
    """

    def __init__(
        self, channels: int, heads: int, span: tuple[int, int], qk: float = 0.5, v: float = 1.0, stride: int = 1
    ) -> None:
        super().__init__()
        qk_size, v_size = head_size(qk, channels, heads), head_size(v, channels, heads)
        self.stride = stride
        self.outputs = head_axis(heads, v_size)
        self.height = RowAttention(plain(channels), heads, qk_size, v_size, span[0])
        self.width = RowAttention(self.outputs, heads, qk_size, v_size, span[1])

    def forward(self, x: Tensor) -> Tensor:
        x = self.height(x.transpose(2, 3)).transpose(2, 3)  # attends over H for each column
        return pool(self.width(x), self.stride)  # attends over W for each row

    def macs(self, height: int, width: int) -> int:
        """Both passes run before the stride."""
        return self.height.macs(width, height) + self.width.macs(height, width)


def from_block(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> AxialAttention:
    """The operator that a block names."""
    assert block.heads is not None and block.qk is not None and block.v is not None
    return AxialAttention(channels, block.heads, span, block.qk, block.v, stride)
