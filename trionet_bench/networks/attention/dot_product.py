"""What attention by scaled dot products without positions has in common, whatever positions it is over."""

from abc import abstractmethod

from torch import Tensor

from trionet_bench.networks.attention.layers import HeadProjection, head_size, pool
from trionet_bench.networks.layers import BatchNorm
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.networks.sharing import channels as plain
from trionet_bench.networks.sharing import heads as head_axis


class DotProductAttention(SpatialOperator):
    """Softmax of q.k over the square root of its size (Vaswani et al. 2017, arXiv 1706.03762).

    Args:
        channels: input channels C.
        heads: attention heads n.
        qk, v: query/key and value size over C.
        stride: 1 or 2, by average pooling after the attention.

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
        return pool(self.norm(self.retrieve(self.project(x))), self.stride)

    @abstractmethod
    def retrieve(self, qkv: Tensor) -> Tensor:
        """Queries, keys and values (B, n (2 d_qk + d_v), H, W) to (B, n d_v, H, W)."""

    @abstractmethod
    def keys(self, height: int, width: int) -> int:
        """Products of each position's query with keys, on a map of this size."""

    def macs(self, height: int, width: int) -> int:
        """Projections, then q.k and a.v."""
        products = self.project.count * (self.project.qk_size + self.project.v_size)
        return height * width * (self.project.qkv.weight.numel() + self.keys(height, width) * products)
