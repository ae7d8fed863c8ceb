"""Global self-attention over all tokens (Dosovitskiy et al. 2021, "ViT", arXiv 2010.11929), for some of the channels.

In GLiT (arXiv 2107.02960) one ratio scales queries, keys and values, as in the released code; the paper only mentions
the size of the keys.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.networks.layers import VIT_STD, Linear
from trionet_bench.networks.sharing import channels, terms
from trionet_bench.networks.sharing import heads as head_axis
from trionet_bench.spaces.glit_architecture import GLiTBlock


class GlobalAttention(nn.Module):
    """Multi-head scaled dot-product attention with its two projections.

    Args:
        width: input and output channels C.
        count: heads n.
        size: dimensions per head d.
        std: of the initial weights.

    (B, T, C) to (B, T, C).
    """

    def __init__(self, width: int, count: int, size: int, std: float) -> None:
        super().__init__()
        self.count, self.size = count, size
        self.qkv = Linear(channels(width), terms(3, head_axis(count, size)), std)
        self.project = Linear(head_axis(count, size), channels(width), std)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """``mask`` says which tokens (last dimension) each token sees, (B, 1, T, T); None: all."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.count, self.size)).permute(2, 0, 3, 1, 4)  # (B, n, T, d) each
        attended = F.scaled_dot_product_attention(q, k, v, mask)
        projected: Tensor = self.project(attended.transpose(1, 2).flatten(2))
        return projected

    def macs(self, tokens: int) -> int:
        """4 T C n d for the projections, 2 T^2 n d for the products."""
        products = 2 * tokens * tokens * self.count * self.size
        return self.qkv.macs(tokens) + products + self.project.macs(tokens)


def build(block: GLiTBlock, channels: int, width: int, heads: int) -> GlobalAttention:
    """The attending part of a block, whose heads are as many of the transformer's as its channels are of the width."""
    assert block.ratio is not None
    return GlobalAttention(channels, heads * channels // width, int(width // heads * block.ratio), VIT_STD)
