"""The spatial operators as layers for any network.

Each takes (B, C, H, W) of any height and width to (B, ``out_channels``, ceil(H / stride), ceil(W / stride)) and ends
with a normalisation, as in the blocks of this package: put an activation behind it. Initial weights come from torch's
generator. Names of parameters are those of the same operator in a trained network of this package, so that its weights
can be loaded from there. ValueError for a stride, window, kernel, number of heads or terms that there is not.

Arguments, shapes and names of parameters here stay as they are until version 1.0 or a release that says otherwise in
CHANGELOG.md and reads earlier weights.

Examples:
    >>> import torch
    >>> from trionet_bench.operators import AxialAttention, Conv, LocalAttention
    >>> images = torch.zeros(2, 64, 14, 10)
    >>> [tuple(layer(images).shape) for layer in (Conv(64), LocalAttention(64, window=5), AxialAttention(64, stride=2))]
    [(2, 64, 14, 10), (2, 64, 14, 10), (2, 64, 7, 5)]
    >>> LocalAttention(64, window=5)
    LocalAttention(channels=64, heads=8, window=5, qk=1.0, v=1.0, stride=1, terms='plain')
"""

import torch

from trionet_bench.errors import nearest
from trionet_bench.networks.attention.dot_product import DotProductAttention
from trionet_bench.networks.attention.layers import freeze_unused
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.operators import axial, conv, crisscross, local, nonlocal_attention
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.spaces.resnet import LOCAL_TERMS

__all__ = ["AxialAttention", "Conv", "CrissCross", "GlobalAttention", "LocalAttention"]


class _Layer(SpatialOperator):
    """An operator with initial weights, which prints as it was made."""

    made_with: dict[str, float | str | tuple[int, int]]

    def begin(self, **made_with: float | str | tuple[int, int]) -> None:
        """Draw the initial weights, and keep the arguments for people."""
        freeze_unused(self)
        initialise(self, int(torch.randint(2**62, ()).item()))
        self.made_with = made_with

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        return self.outputs.size

    def extra_repr(self) -> str:
        """The arguments that it was made with."""
        return ", ".join(f"{name}={value!r}" for name, value in self.made_with.items())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"


def _check(stride: int, *, heads: int = 1, **sides: int) -> None:
    """ValueError for a stride or number of heads that no layer has, and for windows that have no centre."""
    if stride not in (1, 2):
        raise ValueError(f"stride {stride}: it is 1 or 2")
    if heads < 1:
        raise ValueError(f"heads {heads}: there is at least one")
    for name, side in sides.items():
        if side < 1 or side % 2 == 0:
            raise ValueError(f"{name} {side}: a side is an odd number of pixels")


class Conv(_Layer, conv.Convolution):
    """Dense k x k convolution with batch normalisation (He et al. 2016, arXiv 1512.03385).

    Args:
        channels: input and output channels C.
        kernel: odd side in pixels.
        stride: 1 or 2.
    """

    def __init__(self, channels: int, kernel: int = 3, stride: int = 1) -> None:
        _check(stride, kernel=kernel)
        super().__init__(channels, kernel, stride)
        self.begin(channels=channels, kernel=kernel, stride=stride)


class LocalAttention(_Layer, local.LocalAttention):
    """Self-attention of every position over the window around it (Ramachandran et al. 2019, arXiv 1906.05909).

    Args:
        channels: input channels C.
        heads: attention heads n.
        window: odd side in pixels.
        qk: query and key size over C.
        v: value size over C; a head has an even number of dimensions, so that ``out_channels`` is C where C / n is
            even and ``v`` 1.
        stride: 1 or 2, by average pooling.
        terms: ``plain``, or ``position_sensitive`` as in Axial-DeepLab (arXiv 2003.07853).
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
        _check(stride, window=window, heads=heads)
        if terms not in LOCAL_TERMS:
            raise ValueError(f'unknown terms "{terms}"; {nearest(terms, LOCAL_TERMS)}')
        super().__init__(channels, heads, window, qk, v, stride, terms)
        self.begin(channels=channels, heads=heads, window=window, qk=qk, v=v, stride=stride, terms=terms)


class AxialAttention(_Layer, axial.AxialAttention):
    """Position-sensitive self-attention along the height, then along the width (Wang et al. 2020, arXiv 2003.07853).

    Args:
        channels: input channels C.
        heads: attention heads n.
        span: largest height and width of the input in pixels, one number or (height, width); ``grow`` makes it larger.
        qk: query and key size over C.
        v: value size over C; see ``LocalAttention``.
        stride: 1 or 2, by average pooling.

    ValueError in ``forward`` for a larger input.

    Examples:
        >>> import torch
        >>> layer = AxialAttention(32, heads=4, span=16).eval()
        >>> small = layer(torch.ones(1, 32, 16, 16))
        >>> layer.grow(24)
        >>> torch.equal(layer(torch.ones(1, 32, 16, 16)), small), layer(torch.ones(1, 32, 24, 20)).shape[2:]
        (True, torch.Size([24, 20]))
    """

    def __init__(
        self,
        channels: int,
        heads: int = 8,
        span: int | tuple[int, int] = 64,
        qk: float = 0.5,
        v: float = 1.0,
        stride: int = 1,
    ) -> None:
        _check(stride, heads=heads)
        height, width = (span, span) if isinstance(span, int) else span
        super().__init__(channels, heads, (height, width), qk, v, stride)
        self.begin(channels=channels, heads=heads, span=span, qk=qk, v=v, stride=stride)

    def grow(self, span: int | tuple[int, int]) -> None:
        """Take inputs up to ``span`` pixels; what was learnt of shorter distances stays, and so does the output for
        inputs that fitted before. The tables are new parameters: make the optimiser afterwards. ValueError for less.
        """
        height, width = (span, span) if isinstance(span, int) else span
        self.height.grow(height)
        self.width.grow(width)
        self.made_with["span"] = span


class _DotProduct(_Layer, DotProductAttention):
    """An operator without positions."""

    def __init__(self, channels: int, heads: int = 8, qk: float = 1.0, v: float = 1.0, stride: int = 1) -> None:
        _check(stride, heads=heads)
        super().__init__(channels, heads, qk, v, stride)
        self.begin(channels=channels, heads=heads, qk=qk, v=v, stride=stride)


class CrissCross(_DotProduct, crisscross.CrissCrossAttention):
    """Self-attention of every position over its row and its column (Huang et al. 2019, arXiv 1811.11721).

    Args:
        channels: input channels C.
        heads: attention heads n.
        qk: query and key size over C.
        v: value size over C; see ``LocalAttention``.
        stride: 1 or 2, by average pooling.
    """


class GlobalAttention(_DotProduct, nonlocal_attention.NonLocalAttention):
    """Self-attention of every position over all of the map, without positions (Wang et al. 2018, arXiv 1711.07971).

    Args:
        channels: input channels C.
        heads: attention heads n.
        qk: query and key size over C.
        v: value size over C; see ``LocalAttention``.
        stride: 1 or 2, by average pooling.
    """
