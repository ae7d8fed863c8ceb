"""The network of context auto-regression: an encoder sees some patches of an image, a decoder predicts others.

Known of FAB-NAS (arXiv 2111.07139) is the name of the task alone; this form is our choice. Patches have an order. Those
after a prefix of it are replaced by a learned colour before the encoder; features at the patches of the prefix pass a
small transformer (Vaswani et al. 2017, arXiv 1706.03762) that is causal in this order, and the next patches are
predicted from queries of their positions.
"""

from collections.abc import Iterator

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
    without_decay,
)
from trionet_bench.networks.mac_totals import Cost, PlacementEntry
from trionet_bench.networks.operators.global_attention import GlobalAttention
from trionet_bench.networks.sharing import Axis, channels, fixed
from trionet_bench.networks.skeletons import Skeleton, architecture_macs
from trionet_bench.spaces.choice import Architecture

MLP = 4  # width of the feed-forward part over that of a block


class DecoderBlock(nn.Module):
    """Masked attention, then the feed-forward part, each after a normalisation. (B, L, W) to (B, L, W)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        axis, inner = channels(width), channels(MLP * width)
        self.norm, self.mlp_norm = LayerNorm(axis), LayerNorm(axis)
        self.attention = GlobalAttention(width, heads, width // heads, VIT_STD)
        self.widen, self.narrow = Linear(axis, inner, VIT_STD), Linear(inner, axis, VIT_STD)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(self.norm(x), mask)
        mlp: Tensor = self.narrow(F.gelu(self.widen(self.mlp_norm(x))))
        return x + mlp

    def macs(self, tokens: int) -> int:
        """Attention over all pairs, masked or not, and the feed-forward part."""
        return self.attention.macs(tokens) + self.widen.macs(tokens) + self.narrow.macs(tokens)


class Decoder(ParamModule):
    """Predicts patches from the features at others.

    Args:
        features: meaning of the channels of the encoder's features.
        patches: T, of an image.
        ahead: S, patches that are predicted.
        pixels: P, values of a patch.
        width: W, of the transformer.
        layers, heads: of the transformer.

    Features (B, T, C) and ``code`` (B, T) as of ``ContextNetwork`` to (B, S, P), in the order of the patches.
    """

    positions: nn.Parameter
    query: nn.Parameter

    def __init__(
        self, features: Axis, patches: int, ahead: int, pixels: int, width: int, layers: int, heads: int
    ) -> None:
        super().__init__()
        axis = channels(width)
        self.ahead = ahead
        self.declare(
            positions=ParamSpec((fixed(patches), axis), std=VIT_STD, decays=False),
            query=ParamSpec((axis,), std=VIT_STD),
        )
        self.read = Linear(features, axis, features.size**-0.5)
        self.blocks = nn.ModuleList(DecoderBlock(width, heads) for _ in range(layers))
        self.norm = LayerNorm(axis)
        self.predict = Linear(axis, fixed(pixels), VIT_STD)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        visible, rank = code > 0, code.abs() - 1  # (B, T)
        steps = torch.arange(self.ahead, device=code.device)
        wanted = visible.sum(1, keepdim=True) + steps  # ranks (B, S)
        places = (rank[:, None] == wanted[:, :, None]).to(torch.uint8).argmax(2)  # of the next patches, (B, S)
        x = torch.cat(
            [self.read(features) + self.positions, self.positions[places] + self.query], dim=1
        )  # (B, T + S, W)
        own = torch.eye(self.ahead, dtype=torch.bool, device=code.device)  # no prediction sees another
        before = visible[:, None] & (rank[:, None] <= torch.cat([rank, wanted], dim=1)[:, :, None])  # (B, T + S, T)
        own = F.pad(own, (0, 0, code.shape[1], 0)).expand(len(code), -1, -1)  # (B, T + S, S)
        mask = torch.cat([before, own], dim=2)  # (B, T + S, T + S)
        for block in self.blocks:
            x = block(x, mask[:, None])
        last = self.norm(x[:, -self.ahead :])
        predicted: Tensor = self.predict(last * last.shape[2] ** -0.5)  # so that one learning rate fits every width
        return predicted

    def macs(self) -> int:
        """For one image."""
        patches = self.positions.shape[0]
        blocks = [block.macs(patches + self.ahead) for block in self.blocks if isinstance(block, DecoderBlock)]
        return self.read.macs(patches) + sum(blocks) + self.predict.macs(self.ahead)


class ContextNetwork(ParamModule, Skeleton):
    """An encoder and a decoder.

    Args:
        encoder: the network that is trained for its features.
        input_channels: C, of an image.
        side: patches along a side of the image.
        decoder: of its features.

    (B, C + 1, R, R) to the next patches (B, S, P). The last channel says of each pixel which patch it belongs to: its
    number in the order of the patches, counted from 1, and negative where the patch is hidden.
    """

    colour: nn.Parameter

    def __init__(self, encoder: Skeleton, input_channels: int, side: int, decoder: Decoder) -> None:
        super().__init__()
        self.input_channels, self.side = input_channels, side
        self.declare(colour=ParamSpec((fixed(input_channels),)))
        self.encoder, self.decoder = encoder, decoder

    def forward(self, images: Tensor) -> Tensor:
        images, code = images.split([self.input_channels, 1], dim=1)
        images = torch.where(code < 0, self.colour[:, None, None].to(images.dtype), images)
        features = F.adaptive_avg_pool2d(self.encoder.features(images), self.side)  # (B, C', side, side)
        patch = code.shape[2] // self.side
        predicted: Tensor = self.decoder(features.flatten(2).transpose(1, 2), code[:, 0, ::patch, ::patch].flatten(1))
        return predicted

    def features(self, images: Tensor) -> Tensor:
        """Those of the encoder, which sees all of the images."""
        return self.encoder.features(images)

    @property
    def feature_axis(self) -> Axis:
        """That of the encoder."""
        return self.encoder.feature_axis

    def costs(self, height: int, width: int) -> Iterator[Cost]:
        """Those of the encoder, and the decoder."""
        yield from self.encoder.costs(height, width)
        yield Cost("decoder", None, "decoder", self.decoder.macs())

    def set_drop_path(self, probability: float) -> None:
        """In the encoder."""
        self.encoder.set_drop_path(probability)

    def placement(self, resolution: int) -> list[PlacementEntry]:
        """Of the encoder."""
        return self.encoder.placement(resolution)

    @staticmethod
    def macs_of(architecture: Architecture, classes: int, channels: int, resolution: int) -> int:
        """Of the encoder, by which architectures are compared."""
        return architecture_macs(architecture, classes, channels, resolution)

    def no_weight_decay(self) -> list[str]:
        """Those of the encoder, and the positions of the decoder."""
        return without_decay(collect_specs(self))

    def faster_channels_last(self, device: torch.device) -> bool:
        """As the encoder."""
        return self.encoder.faster_channels_last(device)
