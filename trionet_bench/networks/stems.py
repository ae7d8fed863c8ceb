"""What makes the first feature map of a ResNet of the image: a convolution, or attention within blocks of pixels."""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.networks.layers import BatchNorm, Convolution2d, ParamModule, ParamSpec, strided
from trionet_bench.networks.sharing import channels, colours, fixed, terms

BLOCK = 4  # side in pixels of the blocks that an attention stem attends within
MIXTURES = 4  # value projections of an attention stem


class Stem(nn.Module, ABC):
    """(B, inputs, H, W) to (B, width, ``output_size(H)``, ``output_size(W)``)."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Normalised features."""

    @abstractmethod
    def output_size(self, size: int) -> int:
        """Side of the output for a side of the input."""

    @abstractmethod
    def macs(self, height: int, width: int) -> int:
        """For an input of this size."""


class ConvolutionStem(Stem):
    """``conv7-pool`` has stride 4, ``conv3-pool`` 2, ``conv3`` 1."""

    def __init__(self, kind: str, inputs: int, width: int) -> None:
        super().__init__()
        kernel, stride = (7, 2) if kind == "conv7-pool" else (3, 1)
        self.pools = kind.endswith("-pool")
        self.conv = Convolution2d(colours(inputs), channels(width), kernel, stride)
        self.norm = BatchNorm(channels(width))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x), rectified=True)
        return F.max_pool2d(x, kernel_size=3, stride=2, padding=1) if self.pools else x

    def output_size(self, size: int) -> int:
        """Side of the output for a side of the input."""
        size = strided(size, self.conv.stride)
        return strided(size, 2) if self.pools else size

    def macs(self, height: int, width: int) -> int:
        """For an input of this size."""
        return self.conv.macs(height, width)


class AttentionStem(ParamModule, Stem):
    """Attention within 4 x 4 blocks with values that depend on the place in the block, normalised and max-pooled.

    Ramachandran et al. 2019, "Stand-Alone Self-Attention in Vision Models" (arXiv 1906.05909): the values at row a and
    column b of a block are sum_m p(a, b, m) W_m x, where p is the softmax over m of (row_a + column_b).nu_m. One head
    and four projections, as in the code leaderj1001/Stand-Alone-Self-Attention. Departures, our choice: images whose
    side is no multiple of 4 are padded with the mean colour; ``attention-pool2``, for small images, pools by 2.
    """

    row_embedding: nn.Parameter
    column_embedding: nn.Parameter
    mixture_embedding: nn.Parameter

    def __init__(self, kind: str, inputs: int, width: int) -> None:
        super().__init__()
        self.pool = 4 if kind == "attention-pool4" else 2
        axis = channels(width)
        place = ParamSpec((axis, fixed(BLOCK)), std=width**-0.25)
        self.declare(
            row_embedding=place,
            column_embedding=place,
            mixture_embedding=ParamSpec((fixed(MIXTURES), axis), std=width**-0.25),
        )
        self.query, self.key = Convolution2d(colours(inputs), axis), Convolution2d(colours(inputs), axis)
        self.values = Convolution2d(colours(inputs), terms(MIXTURES, axis))
        self.norm = BatchNorm(axis)

    def forward(self, x: Tensor) -> Tensor:
        batch, inputs, height, width = x.shape
        x = F.pad(x, (0, -width % BLOCK, 0, -height % BLOCK))
        down, across = x.shape[2] // BLOCK, x.shape[3] // BLOCK
        pixels = F.pixel_unshuffle(x, BLOCK).unflatten(1, (inputs, BLOCK * BLOCK))  # (B, inputs, 16, H / 4, W / 4)
        pixels = pixels.permute(2, 0, 3, 4, 1).flatten(1, 3)  # (16, blocks, inputs)
        q, k = (F.linear(pixels, layer.weight[:, :, 0, 0]).transpose(0, 1) for layer in (self.query, self.key))
        v = torch.matmul(pixels, self.value_weights()).transpose(0, 1)  # (blocks, 16, width)
        attention = torch.matmul(q, k.transpose(1, 2)).softmax(dim=2).to(v.dtype)  # (blocks, 16, 16)
        attended = torch.matmul(attention, v).unflatten(0, (batch, down, across))  # (B, H / 4, W / 4, 16, width)
        attended = F.pixel_shuffle(attended.permute(0, 4, 3, 1, 2).flatten(1, 2), BLOCK)  # (B, width, H, W)
        return F.max_pool2d(self.norm(attended), self.pool)

    def value_weights(self) -> Tensor:
        """The projection at each place of a block, (16, inputs, width)."""
        places = self.row_embedding[:, :, None] + self.column_embedding[:, None]  # (width, 4, 4)
        shares = torch.matmul(places.flatten(1).T, self.mixture_embedding.T).softmax(dim=1)  # (16, m)
        weights = self.values.weight.flatten(1).unflatten(0, (MIXTURES, -1))  # (m, width, inputs)
        mixed = torch.matmul(shares, weights.flatten(1))  # (16, width inputs)
        by_place: Tensor = mixed.unflatten(1, weights.shape[1:])  # (16, width, inputs)
        return by_place.transpose(1, 2)

    def output_size(self, size: int) -> int:
        """Side of the output for a side of the input."""
        return BLOCK * strided(size, BLOCK) // self.pool

    def macs(self, height: int, width: int) -> int:
        """Projections of every pixel, q.k and a.v within its block; and what makes the values' projections."""
        inputs, outputs = self.query.weight.shape[1], self.norm.num_features
        places = BLOCK * BLOCK
        pixels = places * strided(height, BLOCK) * strided(width, BLOCK)
        mixing = places * MIXTURES * outputs * (1 + inputs)
        return pixels * outputs * (3 * inputs + 2 * places) + mixing


def make_stem(kind: str, inputs: int, width: int) -> Stem:
    """The stem of this name, without initial weights; see ``spaces.resnet_architecture.ResNetArchitecture``."""
    make = AttentionStem if kind.startswith("attention") else ConvolutionStem
    return make(kind, inputs, width)
