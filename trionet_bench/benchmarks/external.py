"""Local attention as other libraries have it, where they are here: references that run on GPUs.

Each takes a feature map and has projections of its own; none computes exactly what ours does (HaloAttn lets a query see
the window around its block, the others have no relative positions), so only their speed is compared.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor, nn

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


class Projected(nn.Module):
    """1x1 convolutions to queries, keys and values, and attention over (B, n, H, W, d).

    (B, C, H, W) to (B, C, H, W).
    """

    def __init__(self, channels: int, heads: int, attend: Attend) -> None:
        super().__init__()
        self.heads, self.attend = heads, attend
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(1, (3, self.heads, -1)).permute(1, 0, 2, 4, 5, 3)  # (B, n, H, W, d)
        return self.attend(q, k, v).permute(0, 1, 4, 2, 3).flatten(1, 2)


def halo(channels: int, heads: int, window: int, size: int) -> nn.Module:
    """timm's HaloAttn (Vaswani et al. 2021, arXiv 2103.12731): relative positions, blocks of 7 or 8, the same halo."""
    block = 7 if size % 7 == 0 else 8
    module: nn.Module = import_module("timm.layers.halo_attn").HaloAttn(
        channels, feat_size=(size, size), num_heads=heads, block_size=block, halo_size=window // 2, qk_ratio=1.0
    )
    return module


def flex(channels: int, heads: int, window: int, size: int) -> nn.Module:
    """torch's FlexAttention, compiled, with a block mask of the window."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention  # takes seconds to load

    def near(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        down, across = query // size - key // size, query % size - key % size
        return (down.abs() <= window // 2) & (across.abs() <= window // 2)

    mask = create_block_mask(near, None, None, size * size, size * size, device="cuda")
    compiled = torch.compile(flex_attention)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (x.flatten(2, 3).contiguous() for x in (q, k, v))  # (B, n, H W, d)
        attended = compiled(q, k, v, block_mask=mask)
        assert isinstance(attended, Tensor)  # it gives more only where it is asked for more
        maps: Tensor = attended.unflatten(2, (size, size))
        return maps

    return Projected(channels, heads, attend)


def neighbourhood(channels: int, heads: int, window: int, size: int) -> nn.Module:
    """NATTEN's two-dimensional neighbourhood attention (Hassani et al. 2023, arXiv 2204.07143)."""
    na2d = import_module("natten").na2d

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        attended: Tensor = na2d(*(x.permute(0, 2, 3, 1, 4) for x in (q, k, v)), kernel_size=window)  # (B, H, W, n, d)
        return attended.permute(0, 3, 1, 2, 4)

    return Projected(channels, heads, attend)


Build = Callable[[int, int, int, int], nn.Module]


def references(device: torch.device) -> dict[str, Build]:
    """Builders, called with channels, heads, window and side, of what is installed and trains on this device."""
    found: dict[str, Build] = {}
    if find_spec("timm"):
        found["timm's HaloAttn"] = halo
    if device.type == "cuda":  # neither has a backward pass on a CPU
        found["FlexAttention"] = flex
        if find_spec("natten"):
            found["NATTEN"] = neighbourhood
    return found
