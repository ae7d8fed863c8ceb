"""The transformer skeleton: ViT and DeiT, with blocks that divide their channels between attention and convolution.

ViT (Dosovitskiy et al. 2021, arXiv 2010.11929) as DeiT trains it (Touvron et al. 2021, arXiv 2012.12877): patches,
class token, learned positions, pre-norm blocks, a last normalisation, a linear map of the class token. A GLiT block
(Chen et al. 2021, arXiv 2107.02960) gives its first channels to global attention and the others to the locality module,
without a projection across the two. Departure, our choice: images whose side is no multiple of the patch are padded
with the mean colour.
"""

from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.networks.layers import (
    VIT_STD,
    LayerNorm,
    Linear,
    ParamModule,
    ParamSpec,
    collect_specs,
    drop_path,
    strided,
    without_decay,
)
from trionet_bench.networks.mac_totals import Cost, PlacementEntry
from trionet_bench.networks.operators.global_attention import GlobalAttention
from trionet_bench.networks.operators.locality import Locality
from trionet_bench.networks.sharing import Axis, channels, colours, fixed, places
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.spaces.choice import Architecture
from trionet_bench.spaces.glit_architecture import GLiTArchitecture, GLiTBlock
from trionet_bench.spaces.operators import GLOBAL, LOCALITY


class GlobalLocalSplit(nn.Module):
    """The first part of the channels attends, the rest is convolved. (B, T, C) to (B, T, C)."""

    def __init__(self, block: GLiTBlock, width: int, heads: int, groups: int) -> None:
        super().__init__()
        self.block = block
        attending = width * block.attending // groups
        self.sizes = [attending, width - attending]
        if attending:
            self.attention = cast(GlobalAttention, GLOBAL.build(block, attending, width, heads))
        if width - attending:
            self.locality = cast(Locality, LOCALITY.build(block, width - attending, width, heads))

    def forward(self, x: Tensor) -> Tensor:
        if 0 in self.sizes:
            return cast(Tensor, self.attention(x) if self.sizes[0] else self.locality(x))
        attending, convolved = x.split(self.sizes, dim=2)
        return torch.cat([self.attention(attending), self.locality(convolved)], dim=2)

    def macs(self, tokens: int) -> dict[str, int]:
        """By operator."""
        costs = {}
        if self.sizes[0]:
            costs[GLOBAL.name] = self.attention.macs(tokens)
        if self.sizes[1]:
            costs[LOCALITY.name] = self.locality.macs(tokens)
        return costs

    def options(self, operator: str) -> PlacementEntry:
        """The options of one of the operators, as fields of a placement."""
        if operator == GLOBAL.name:
            attention, width = self.attention, self.sizes[0]
            ratio = attention.count * attention.size / width
            return {"mid_width": attention.count * attention.size, "heads": attention.count, "qk": ratio, "v": ratio}
        inner = self.locality.norm.num_features
        return {"mid_width": inner, "expansion": self.block.expansion, "kernel": self.block.kernel}


class TransformerBlock(nn.Module):
    """One block: division of the channels, then the feed-forward part. (B, T, C) to (B, T, C)."""

    def __init__(self, block: GLiTBlock, width: int, heads: int, groups: int) -> None:
        super().__init__()
        axis, inner = channels(width), channels(block.mlp * width)
        self.mlp = block.mlp
        self.norm = LayerNorm(axis)
        self.division = GlobalLocalSplit(block, width, heads, groups)
        self.mlp_norm = LayerNorm(axis)
        self.widen = Linear(axis, inner, VIT_STD)
        self.narrow = Linear(inner, axis, VIT_STD)
        self.drop_path = 0.0  # probability that an image skips a branch in training

    def forward(self, x: Tensor) -> Tensor:
        x = x + drop_path(self.division(self.norm(x)), self.drop_path, self.training)
        mlp = self.narrow(F.gelu(self.widen(self.mlp_norm(x))))
        return x + drop_path(mlp, self.drop_path, self.training)

    def macs(self, tokens: int) -> dict[str, int]:
        """By kind: the operators under their names, and the feed-forward part as ``mlp``."""
        return {**self.division.macs(tokens), "mlp": self.widen.macs(tokens) + self.narrow.macs(tokens)}


class VisionTransformer(ParamModule, Skeleton):
    """A network of an architecture, for images of one channel count and one size.

    (B, input_channels, H, W) to logits (B, classes). Weights are uninitialised; see ``layers.initialise``.
    """

    class_token: nn.Parameter
    positions: nn.Parameter

    def __init__(
        self, architecture: GLiTArchitecture, classes: int, input_channels: int = 3, resolution: int = 224
    ) -> None:
        super().__init__()
        self.architecture, self.side = architecture, strided(resolution, architecture.patch)
        axis = channels(architecture.width)
        self.declare(
            class_token=ParamSpec((axis,), std=VIT_STD),
            positions=ParamSpec((places(self.side), axis), std=VIT_STD, decays=False),
        )
        pixels = colours(input_channels, architecture.patch**2)
        self.embed = Linear(pixels, axis, std=(3 * pixels.size) ** -0.5)
        self.blocks = nn.ModuleList(
            TransformerBlock(block, architecture.width, architecture.heads, architecture.groups)
            for block in architecture.blocks
        )
        self.norm = LayerNorm(axis)
        self.classifier = Linear(axis, fixed(classes), VIT_STD)

    @property
    def transformer_blocks(self) -> list[TransformerBlock]:
        """All blocks in order."""
        return cast(list[TransformerBlock], [*self.blocks.children()])

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.norm(self._tokens(images)[:, 0]))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """The patches after the last block, normalised as the class token is."""
        patches: Tensor = self.norm(self._tokens(images)[:, 1:])  # (B, T - 1, C)
        grid: Tensor = patches.transpose(1, 2).unflatten(2, (self.side, self.side))
        return grid

    @property
    def feature_axis(self) -> Axis:
        """The width."""
        return channels(self.architecture.width)

    def _tokens(self, images: Tensor) -> Tensor:
        """(B, T, C) after the last block, the class token first."""
        patch = self.architecture.patch
        height, width = images.shape[2:]
        if (strided(height, patch), strided(width, patch)) != (self.side, self.side):
            raise ValueError(f"images of {height} x {width} pixels, but {self.side} x {self.side} patches of {patch}")
        images = F.pad(images, (0, -width % patch, 0, -height % patch))
        x = self.embed(F.pixel_unshuffle(images, patch).flatten(2).transpose(1, 2))  # (B, T - 1, C)
        x = torch.cat([self.class_token.expand(len(x), 1, -1), x], dim=1) + self.positions  # (B, T, C)
        for block in self.transformer_blocks:
            x = block(x)
        tokens: Tensor = x
        return tokens

    def set_drop_path(self, probability: float) -> None:
        """From 0 in the first block linearly to ``probability`` in the last."""
        for number, block in enumerate(self.transformer_blocks):
            block.drop_path = probability * number / max(1, len(self.blocks) - 1)

    def no_weight_decay(self) -> list[str]:
        """The positions."""
        return without_decay(collect_specs(self))

    def costs(self, height: int, width: int) -> Iterator[Cost]:
        """Closed-form MACs of every part for one image of this size."""
        patches = strided(height, self.architecture.patch) * strided(width, self.architecture.patch)
        yield Cost("stem", None, "stem", self.embed.macs(patches))
        for b, block in enumerate(self.transformer_blocks):
            for kind, macs in block.macs(patches + 1).items():
                yield Cost("0", b, kind, macs)
        yield Cost("classifier", None, "classifier", self.classifier.macs(1))

    def placement(self, resolution: int) -> list[PlacementEntry]:
        """One entry for each operator of each block; ``resolution`` there is the side of the grid of patches."""
        entries: list[PlacementEntry] = []
        for b, block in enumerate(self.transformer_blocks):
            shares = zip((GLOBAL.name, LOCALITY.name), block.division.sizes, strict=True)
            for operator, entering in shares:
                if entering:
                    entries.append(
                        {
                            "stage": 0,
                            "block": b,
                            "operator": operator,
                            "share": entering / self.architecture.width,
                            "resolution": self.side,
                            "width": self.architecture.width,
                            "mlp": block.mlp,
                            **block.division.options(operator),
                        }
                    )
        return entries

    def macs_in_other_units(self) -> dict[str, int]:
        """The count of GLiT's released code, which leaves out what the gate adds."""
        tokens = self.side**2 + 1
        total = sum(cost.macs for cost in self.costs(*[self.side * self.architecture.patch] * 2))
        gates = [b.division.locality.gate_macs(tokens) for b in self.transformer_blocks if b.division.sizes[1]]
        return {"macs_of_glit_code": total - sum(gates)} if gates else {}

    @staticmethod
    def macs_of(architecture: Architecture, classes: int, channels: int, resolution: int) -> int:
        """MACs of one image without building the network; each kind of block is built and counted once."""
        assert isinstance(architecture, GLiTArchitecture)
        patches = strided(resolution, architecture.patch) ** 2
        parts = architecture.width, architecture.heads, architecture.groups
        blocks = sum(_block_macs(block, *parts, patches + 1) for block in architecture.blocks)
        return blocks + architecture.width * (patches * channels * architecture.patch**2 + classes)


@cache
def _block_macs(block: GLiTBlock, width: int, heads: int, groups: int, tokens: int) -> int:
    with torch.device("meta"):
        built = TransformerBlock(block, width, heads, groups)
    return sum(built.macs(tokens).values())


def names_by_candidate(network: nn.Module) -> dict[str, str]:
    """Names under which a supernet keeps the weights of a block for each of its candidates, so that they share none.

    All that is known of GLiT's supernet: in its released code each block is one of a list of complete blocks, as in
    Single Path One-Shot NAS (arXiv 1904.00420). Patch embedding, class token, positions and the last layers are shared.
    """
    assert isinstance(network, VisionTransformer)
    names = {}
    for b, block in enumerate(network.transformer_blocks):
        details = (f"{name}={value:g}" for name, value in asdict(block.division.block).items() if value is not None)
        candidate = ",".join(details).replace(".", "_")
        for name in collect_specs(block):
            names[f"blocks.{b}.{name}"] = f"blocks.{b}@{candidate}.{name}"
    return names
