"""The ResNet-like skeleton whose blocks hold any of the spatial operators.

Block: 1x1, spatial operator, 1x1, with the shortcut added after the last normalisation (He et al. 2016; the released
Axial-ResNet keeps the same order). The two 1x1 convolutions have the same name whichever operator stands between them,
so a supernet shares them between operators, as the figure of TrioNet shows; the weights of an operator carry its
name. The last normalisation of a block starts at zero, as in the released axial code.
"""

from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.networks.layers import BatchNorm, Classifier, Convolution2d, collect_specs, drop_path, strided
from trionet_bench.networks.mac_totals import Cost, PlacementEntry
from trionet_bench.networks.operators.base import SpatialOperator, build_operator
from trionet_bench.networks.operators.local import LocalAttention
from trionet_bench.networks.sharing import Axis, channels
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.networks.stems import make_stem
from trionet_bench.records.record import Placement
from trionet_bench.spaces.choice import Architecture
from trionet_bench.spaces.operators import OPERATORS
from trionet_bench.spaces.resnet_architecture import Block, ResNetArchitecture


def mid_width(block: Block, width: int) -> int:
    """Channels between the two 1x1 convolutions."""
    return max(1, int(block.expansion * width + 0.5))


class Bottleneck(nn.Module):
    """One block. (B, C_in, H, W) to (B, width, ceil(H / stride), ceil(W / stride))."""

    def __init__(
        self, block: Block, inputs: int, width: int, stride: int, span: tuple[int, int], local_terms: str
    ) -> None:
        super().__init__()
        self.operator_name = block.operator
        mid = mid_width(block, width)
        self.reduce = Convolution2d(channels(inputs), channels(mid))
        self.reduce_norm = BatchNorm(channels(mid))
        self.add_module(block.operator, build_operator(block, mid, stride, span, local_terms))
        self.expand = Convolution2d(self.operator.outputs, channels(width))
        self.expand_norm = BatchNorm(channels(width), gamma=0.0)
        if stride != 1 or inputs != width:
            self.shortcut = Convolution2d(channels(inputs), channels(width), stride=stride)
            self.shortcut_norm = BatchNorm(channels(width))
        self.has_shortcut, self.stride = stride != 1 or inputs != width, stride
        self.drop_path = 0.0  # probability that an image skips all but the shortcut in training

    @property
    def operator(self) -> SpatialOperator:
        """The spatial operator. Its module has the operator's name, so that different operators share no weights."""
        return cast(SpatialOperator, self.get_submodule(self.operator_name))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.shortcut_norm(self.shortcut(x)) if self.has_shortcut else x
        x = self.reduce_norm(self.reduce(x), rectified=True)
        x = F.relu_(self.operator(x))
        x = self.expand(x)
        if self.training and self.drop_path > 0:
            return F.relu_(drop_path(self.expand_norm(x), self.drop_path, self.training) + shortcut)
        rectified: Tensor = self.expand_norm(x, shortcut, rectified=True)
        return rectified

    def macs(self, height: int, width: int) -> dict[str, int]:
        """By kind: the operator under its name, the 1x1 convolutions as ``pointwise``, the ``shortcut``."""
        out = strided(height, self.stride), strided(width, self.stride)
        costs = {
            self.operator_name: self.operator.macs(height, width),
            "pointwise": self.reduce.macs(height, width) + self.expand.macs(*out),
        }
        if self.has_shortcut:
            costs["shortcut"] = self.shortcut.macs(height, width)
        return costs


class ResNet(Skeleton):
    """A network of an architecture, for images of one channel count and up to ``resolution`` pixels a side.

    (B, input_channels, H, W) to logits (B, classes). Weights are uninitialised; see ``layers.initialise``.
    """

    def __init__(
        self, architecture: ResNetArchitecture, classes: int, input_channels: int = 3, resolution: int = 224
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.stem = make_stem(architecture.stem, input_channels, architecture.stem_width)
        width, size = architecture.stem_width, self.stem.output_size(resolution)
        self.stages = nn.ModuleList()
        for stage in architecture.stages:
            blocks = nn.ModuleList()
            for b, block in enumerate(stage.blocks):
                stride = stage.stride if b == 0 else 1
                blocks.append(Bottleneck(block, width, stage.width, stride, (size, size), architecture.local_terms))
                width, size = stage.width, strided(size, stride)
            self.stages.append(blocks)
        self.classifier = Classifier(channels(width), classes)

    @property
    def blocks(self) -> list[list[Bottleneck]]:
        """All blocks, by stage."""
        return [cast(list[Bottleneck], [*stage.children()]) for stage in self.stages]

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """The output of the last stage."""
        x: Tensor = self.stem(images)
        for block in chain.from_iterable(self.blocks):
            x = block(x)
        return x

    @property
    def feature_axis(self) -> Axis:
        """The width of the last stage."""
        return channels(self.architecture.stages[-1].width)

    def set_drop_path(self, probability: float) -> None:
        """From 0 in the first block linearly to ``probability`` in the last."""
        blocks = [*chain.from_iterable(self.blocks)]
        for number, block in enumerate(blocks):
            block.drop_path = probability * number / max(1, len(blocks) - 1)

    def faster_channels_last(self, device: torch.device) -> bool:
        """Whether training is faster in the memory format channels-last: on a CPU, for networks of convolutions only.

        Measured (``trionet-bench bench training``): they train 1.2 to 1.8 times as fast. The kernels of attention read
        contiguous maps, so networks with attention gain nothing or lose up to a tenth.
        """
        blocks = chain.from_iterable(self.blocks)
        return device.type == "cpu" and all(OPERATORS.get(block.operator_name).channels_last for block in blocks)

    def costs(self, height: int, width: int) -> Iterator[Cost]:
        """Closed-form MACs of every part for one image of this size."""
        yield Cost("stem", None, "stem", self.stem.macs(height, width))
        height, width = self.stem.output_size(height), self.stem.output_size(width)
        for s, stage in enumerate(self.blocks):
            for b, block in enumerate(stage):
                for kind, macs in block.macs(height, width).items():
                    yield Cost(str(s), b, kind, macs)
                height, width = strided(height, block.stride), strided(width, block.stride)
        yield Cost("classifier", None, "classifier", self.classifier.macs())

    def placement(self, resolution: int) -> list[PlacementEntry]:
        """One entry for each block; its ``resolution`` is the side of the block's output."""
        size = self.stem.output_size(resolution)
        entries: list[PlacementEntry] = []
        for s, stage in enumerate(self.architecture.stages):
            for b, block in enumerate(stage.blocks):
                size = strided(size, stage.stride if b == 0 else 1)
                mid = mid_width(block, stage.width)
                shape = {"resolution": size, "width": stage.width, "mid_width": mid}
                entry = {"stage": s, "block": b, "operator": block.operator, **shape, "expansion": block.expansion}
                others: dict[str, float] = {}
                for name, value in block.options.items():
                    (entry if name in Placement.model_fields else others)[name] = value
                entries.append(entry | {"options": others} if others else entry)
        return entries

    @staticmethod
    def macs_of(architecture: Architecture, classes: int, channels: int, resolution: int) -> int:
        """MACs of one image without building the network; each kind of operator is built and counted once."""
        assert isinstance(architecture, ResNetArchitecture)
        width, terms = architecture.stem_width, architecture.local_terms
        total, size = _stem_macs_and_output_size(architecture.stem, channels, width, resolution)
        for stage in architecture.stages:
            stride = stage.stride
            for block in stage.blocks:
                total += _block_macs(block, width, stage.width, stride, size, terms)
                width, size, stride = stage.width, strided(size, stride), 1
        return total + width * classes


def names_by_operator(network: nn.Module) -> dict[str, str]:
    """Names under which a supernet keeps a pair of 1x1 convolutions, with their normalisations, for each operator.

    The ablation arm: the left panel of TrioNet's figure, where no branch shares anything with another.
    """
    return {
        f"{prefix}.{part}.{weight}": f"{prefix}.{part}@{block.operator_name}.{weight}"
        for prefix, block in network.named_modules()
        if isinstance(block, Bottleneck)
        for part in ("reduce", "reduce_norm", "expand", "expand_norm")
        for weight in collect_specs(block.get_submodule(part))
    }


def names_by_window(network: nn.Module) -> dict[str, str]:
    """Names under which a supernet keeps the weights of local attention for each window, so that an operator and its
    window have weights of their own; the other operators have them by their names.
    """
    return {
        f"{prefix}.{weight}": f"{prefix}@{block.operator.window}.{weight}"
        for name, block in network.named_modules()
        if isinstance(block, Bottleneck) and isinstance(block.operator, LocalAttention)
        for prefix in [f"{name}.{block.operator_name}"]
        for weight in collect_specs(block.operator)
    }


@cache
def _block_macs(block: Block, inputs: int, width: int, stride: int, size: int, local_terms: str) -> int:
    """The sum of ``Bottleneck.macs``, without building the 1x1 convolutions and the shortcut."""
    mid, out = mid_width(block, width), strided(size, stride)
    operator, outputs = _operator_macs_and_outputs(block, mid, stride, size, local_terms)
    shortcut = inputs * width if stride != 1 or inputs != width else 0
    return operator + inputs * mid * size**2 + (outputs * width + shortcut) * out**2


@cache
def _operator_macs_and_outputs(block: Block, mid: int, stride: int, size: int, local_terms: str) -> tuple[int, int]:
    with torch.device("meta"):
        operator = build_operator(block, mid, stride, (size, size), local_terms)
    return operator.macs(size, size), operator.outputs.size


@cache
def _stem_macs_and_output_size(kind: str, input_channels: int, width: int, resolution: int) -> tuple[int, int]:
    with torch.device("meta"):
        stem = make_stem(kind, input_channels, width)
    return stem.macs(resolution, resolution), stem.output_size(resolution)
