"""Networks of torchvision and timm with a head of ours, to be fine-tuned beside the project's own.

Their parts have no closed-form cost here: MACs are those of the operator-level counter alone. The last linear layer is
the head. Grey images are given to them as colour images of three equal channels.
"""

import importlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from trionet_bench.errors import UsageError
from trionet_bench.networks.layers import Linear
from trionet_bench.networks.mac_totals import Cost, PlacementEntry, counted_macs
from trionet_bench.networks.sharing import Axis, channels, fixed
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.spaces.choice import Architecture
from trionet_bench.spaces.library import LibraryArchitecture

COLOURS = 3
HEAD_STD = 0.01  # of the initial weights of the head, as in torchvision's ResNets of detection; our choice


class LibraryNetwork(Skeleton):
    """A network by the name that its library knows. (B, C, H, W), C 1 or 3, to (B, classes).

    UsageError where the library is not installed, does not know it, or the network does not end in a linear layer.
    """

    def __init__(
        self, architecture: LibraryArchitecture, classes: int, input_channels: int = 3, resolution: int = 224
    ) -> None:
        super().__init__()
        self.architecture, self.input_channels = architecture, input_channels
        self.model = _built(architecture)
        self.head = _head(self.model, architecture)
        place, _, last = self.head.rpartition(".")
        inputs = self.model.get_submodule(self.head).in_features
        assert isinstance(inputs, int)
        setattr(self.model.get_submodule(place), last, Linear(channels(inputs), fixed(classes), HEAD_STD))

    def forward(self, images: Tensor) -> Tensor:
        colour = images.expand(-1, COLOURS, -1, -1) if self.input_channels == 1 else images
        logits: Tensor = self.model(colour)
        return logits

    def features(self, images: Tensor) -> Tensor:
        """UsageError: networks of libraries agree on no map before their head."""
        raise UsageError(f"{self.architecture.network} gives no map of features; use a network of this project.")

    @property
    def feature_axis(self) -> Axis:
        """UsageError, as of ``features``."""
        raise UsageError(f"{self.architecture.network} gives no map of features; use a network of this project.")

    def costs(self, height: int, width: int) -> Iterator[Cost]:
        """All in one, by the operator-level counter."""
        yield Cost("network", None, "library", counted_macs(self, height, width, self.input_channels))

    def set_drop_path(self, probability: float) -> None:
        """Libraries have stochastic depth of their own, which stays as it is."""

    def placement(self, resolution: int) -> list[PlacementEntry]:
        """None is known."""
        return []

    @staticmethod
    def macs_of(architecture: Architecture, classes: int, channels: int, resolution: int) -> int:
        """MACs of one image; the network is built on the meta device. UsageError where it does not take this size."""
        assert isinstance(architecture, LibraryArchitecture)
        with torch.device("meta"):
            network = LibraryNetwork(architecture, classes, channels, resolution)
        try:
            return counted_macs(network, resolution, resolution, channels)
        except (RuntimeError, AssertionError) as error:  # as libraries say it
            raise UsageError(
                f"{architecture.network} of {architecture.library} does not take images of {resolution} pixels "
                f"({str(error).splitlines()[0]}). Give the data set or the recipe a resolution that it takes."
            ) from error


def _built(architecture: LibraryArchitecture) -> nn.Module:
    try:
        library = importlib.import_module("torchvision.models" if architecture.library == "torchvision" else "timm")
    except ImportError as error:
        raise UsageError(f"{architecture.library} is not installed; pip install {architecture.library}") from error
    try:
        build = library.get_model if architecture.library == "torchvision" else library.create_model
        network: nn.Module = build(architecture.network)
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"{architecture.library} knows no network {architecture.network}: {error}") from error
    return network


def _head(model: nn.Module, architecture: LibraryArchitecture) -> str:
    names: list[str] = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise UsageError(f"{architecture.network} of {architecture.library} has no linear layer to be its head.")
    return names[-1]
