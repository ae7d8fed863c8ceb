"""Non-local attention: every position of the map attends over all of it.

Wang et al. 2018, "Non-local Neural Networks" (arXiv 1711.07971), embedded Gaussian, with the heads and the scaled
logits of Vaswani et al. 2017 (arXiv 1706.03762). Departures, our choice: no projection of the values back and no
residual, since the block has both; stride by average pooling after the attention, as of the other operators.
"""

import torch.nn.functional as F
from torch import Tensor

from trionet_bench.networks.attention.layers import HeadProjection, head_size, pool
from trionet_bench.networks.layers import BatchNorm
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.networks.sharing import channels as plain
from trionet_bench.networks.sharing import heads as head_axis
from trionet_bench.spaces.resnet_architecture import Block


class NonLocalAttention(SpatialOperator):
    """Context from all positions, whose places play no part.

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
        q, k, v = (t.flatten(3).transpose(2, 3) for t in self.project.split(self.project(x)))  # (B, n, H W, d)
        retrieved = F.scaled_dot_product_attention(q, k, v).transpose(2, 3)  # (B, n, d_v, H W)
        return pool(self.norm(retrieved.flatten(1, 2).unflatten(2, x.shape[2:])), self.stride)

    def macs(self, height: int, width: int) -> int:
        """Projections, then q.k and a.v over all pairs."""
        positions = height * width
        products = self.project.count * (self.project.qk_size + self.project.v_size)
        return positions * (self.project.qkv.weight.numel() + positions * products)


def build(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> NonLocalAttention:
    """The operator of a block."""
    options = block.options
    return NonLocalAttention(channels, int(options["heads"]), options["qk"], options["v"], stride)
