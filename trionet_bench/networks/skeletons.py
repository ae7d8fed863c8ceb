"""From an architecture to its network: which skeleton builds which kind of architecture.

A skeleton is a module with the constructor ``(architecture, classes, channels, resolution)`` and the methods of
``Skeleton``.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from torch import Tensor

from trionet_bench.networks.cost import Cost
from trionet_bench.networks.resnet import ResNet
from trionet_bench.networks.vit import VisionTransformer
from trionet_bench.spaces.glit import GLiTArchitecture
from trionet_bench.spaces.resnet import ResNetArchitecture


class Skeleton(Protocol):
    """What the rest of the project asks of a network."""

    def __call__(self, images: Tensor) -> Tensor: ...

    def costs(self, height: int, width: int) -> Iterator[Cost]:
        """Closed-form MACs of every part for one image of this size."""
        ...

    def set_drop_path(self, probability: float) -> None:
        """Stochastic depth in training, growing linearly to ``probability`` in the last block."""
        ...

    def placement(self, resolution: int) -> list[dict[str, Any]]:
        """One entry for each operator of each block: all of ``records.record.Placement`` but its MACs."""
        ...

    def macs_in_other_units(self) -> dict[str, int]:
        """Counts of the same network in the units of published code, for comparison with what was printed."""
        ...

    @staticmethod
    def macs_of(architecture: Any, classes: int, channels: int, resolution: int) -> int:
        """MACs of one image without building the network, fast enough for a search."""
        ...


SKELETONS: dict[type, Any] = {ResNetArchitecture: ResNet, GLiTArchitecture: VisionTransformer}


def build_network(architecture: Any, classes: int, channels: int, resolution: int) -> Any:
    """The stand-alone network, without initial weights."""
    return SKELETONS[type(architecture)](architecture, classes, channels, resolution)


def architecture_macs(architecture: Any, classes: int, channels: int, resolution: int) -> int:
    """MACs of one image, in microseconds."""
    return SKELETONS[type(architecture)].macs_of(architecture, classes, channels, resolution)
