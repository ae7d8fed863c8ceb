"""From an architecture to its network: which skeleton builds which kind of architecture."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor, nn

from trionet_bench.networks.mac_totals import Cost, PlacementEntry
from trionet_bench.networks.sharing import Axis
from trionet_bench.registry import resolve
from trionet_bench.spaces.choice import Architecture
from trionet_bench.spaces.glit_architecture import GLiTArchitecture
from trionet_bench.spaces.library import LibraryArchitecture
from trionet_bench.spaces.resnet_architecture import ResNetArchitecture


class Skeleton(nn.Module, ABC):
    """The interface of a network to the other packages.

    The constructor takes ``(architecture, classes, channels, resolution)`` and leaves weights uninitialised; see
    ``layers.initialise``.
    """

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """(B, channels, H, W) to logits (B, classes)."""

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """(B, channels, H, W) to the map (B, C, h, w) that the classifier is given a summary of."""

    @property
    @abstractmethod
    def feature_axis(self) -> Axis:
        """What the channels of ``features`` mean."""

    @abstractmethod
    def costs(self, height: int, width: int) -> Iterator[Cost]:
        """Closed-form MACs of every part for one image of this size."""

    @abstractmethod
    def set_drop_path(self, probability: float) -> None:
        """Stochastic depth in training (Huang et al. 2016, arXiv 1603.09382): from 0 in the first block linearly to
        ``probability`` in the last.
        """

    @abstractmethod
    def placement(self, resolution: int) -> list[PlacementEntry]:
        """One entry for each operator of each block: the fields of ``records.record.Placement`` except its MACs."""

    @staticmethod
    @abstractmethod
    def macs_of(architecture: Architecture, classes: int, channels: int, resolution: int) -> int:
        """MACs of one image without building the network, fast enough for a search."""

    def macs_in_other_units(self) -> dict[str, int]:
        """Counts of the network in the units of published code, by name, for comparison with published numbers."""
        return {}

    def no_weight_decay(self) -> list[str]:
        """Names of parameters that are excluded from weight decay, besides vectors."""
        return []

    def faster_channels_last(self, device: torch.device) -> bool:
        """Whether training is faster on this device in the memory format channels-last."""
        return False


_SKELETONS = {
    ResNetArchitecture: "trionet_bench.networks.resnet:ResNet",
    GLiTArchitecture: "trionet_bench.networks.vit:VisionTransformer",
    LibraryArchitecture: "trionet_bench.networks.library:LibraryNetwork",
}


@cache
def _skeleton(kind: type) -> type[Skeleton]:
    skeleton = resolve(_SKELETONS[kind])
    assert isinstance(skeleton, type) and issubclass(skeleton, Skeleton)
    return skeleton


def build_network(architecture: Architecture, classes: int, channels: int, resolution: int) -> Skeleton:
    """The stand-alone network for square images of up to ``resolution`` pixels a side, without initial weights."""
    return _skeleton(type(architecture))(architecture, classes, channels, resolution)


def architecture_macs(architecture: Architecture, classes: int, channels: int, resolution: int) -> int:
    """MACs of one image; takes microseconds, since no network is built."""
    return _skeleton(type(architecture)).macs_of(architecture, classes, channels, resolution)
