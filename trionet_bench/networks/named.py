"""Networks by name or from an architecture file, for ``profile`` and for loading the network of a cell."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trionet_bench.errors import UsageError
from trionet_bench.networks.mac_totals import count_again, profile
from trionet_bench.networks.skeletons import Skeleton, build_network
from trionet_bench.spaces.card import is_card, read_card
from trionet_bench.spaces.choice import Architecture
from trionet_bench.spaces.published import published


@dataclass(frozen=True)
class Subject:
    """A network to be profiled, and the size and classes of its images."""

    name: str
    architecture: Architecture
    resolution: int
    classes: int
    channels: int

    def build(self) -> Skeleton:
        """The network on torch's current default device, without initial weights."""
        return build_network(self.architecture, self.classes, self.channels, self.resolution)


def subject(
    network: str, resolution: int | None = None, classes: int | None = None, channels: int | None = None
) -> Subject:
    """A published network, by default at 224 pixels in colour and for 1000 classes, or that of an architecture file, by
    default with the file's resolution, channels and classes. UsageError where there is no such network.
    """
    if is_card(network):
        architecture, card = read_card(Path(network))
        sizes: dict[str, int] = {
            "resolution": resolution or card.get("resolution", 0),
            "classes": classes or card.get("outputs", len(card.get("classes", ()))),
            "channels": channels or card.get("channels", 0),
        }
        for name, size in sizes.items():
            if not size:
                raise UsageError(f"{network} does not say its {name}.")
        return Subject(network, architecture, **sizes)
    return Subject(network, published(network), resolution or 224, classes or 1000, channels or 3)


def profile_network(
    network: str, resolution: int | None = None, classes: int | None = None, count: bool = True
) -> dict[str, Any]:
    """Parameters and MACs of a ``subject``.

    With ``count`` also ``macs_counted``, the operator-level count; ArithmeticError where it differs from the closed
    form.
    Some networks have counts in the unit of published code too, such as ``macs_of_glit_code``.
    """
    of = subject(network, resolution, classes)
    with torch.device("meta"):
        built = of.build()
    cost = profile(built, of.resolution)
    counted = {"macs_counted": count_again(built, cost.macs, of.resolution, of.channels)} if count else {}
    what = {"name": of.name, "resolution": of.resolution, "classes": of.classes}
    other = built.macs_in_other_units()
    return {**what, **cost.to_dict(), **counted, **other}
