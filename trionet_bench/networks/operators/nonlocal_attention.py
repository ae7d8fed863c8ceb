"""Non-local attention: every position of the map attends over all of it.

Wang et al. 2018, "Non-local Neural Networks" (arXiv 1711.07971), embedded Gaussian, with the heads and the scaled
logits of Vaswani et al. 2017 (arXiv 1706.03762). Departures, our choice: no projection of the values back and no
residual, since the block has both; stride by average pooling after the attention, as of the other operators.
"""

import torch.nn.functional as F
from torch import Tensor

from trionet_bench.networks.attention.dot_product import DotProductAttention
from trionet_bench.spaces.resnet_architecture import Block


class NonLocalAttention(DotProductAttention):
    """Context from all positions, whose places play no part."""

    def retrieve(self, qkv: Tensor) -> Tensor:
        """One softmax over the map."""
        q, k, v = (t.flatten(3).transpose(2, 3) for t in self.project.split(qkv))  # (B, n, H W, d)
        retrieved = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).flatten(1, 2)  # (B, n d, H W)
        maps: Tensor = retrieved.unflatten(2, qkv.shape[2:])
        return maps

    def keys(self, height: int, width: int) -> int:
        """All positions."""
        return height * width


def build(block: Block, channels: int, stride: int, span: tuple[int, int], local_terms: str) -> NonLocalAttention:
    """The operator of a block."""
    options = block.options
    return NonLocalAttention(channels, int(options["heads"]), options["qk"], options["v"], stride)
