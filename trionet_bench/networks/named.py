"""Networks by name or from an architecture file, for ``profile`` and for loading the network of a cell."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trionet_bench.errors import UsageError
from trionet_bench.networks.mac_totals import count_again, profile
from trionet_bench.networks.skeletons import Skeleton, build_network
from trionet_bench.records.store import read_json
from trionet_bench.spaces.choice import Architecture
from trionet_bench.spaces.library import LibraryArchitecture
from trionet_bench.spaces.presets import resolve_space
from trionet_bench.spaces.published import published


def read_card(path: Path) -> tuple[Architecture, dict[str, Any]]:
    """Read an ``architecture.json``: the architecture, checked against the space in the file, and the file's fields.

    UsageError where the file is unreadable, lacks a part, or describes a network outside its space. One of a library is
    in no space.
    """
    try:
        card = read_json(path)
        space, architecture = card["space"], card["architecture"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not an architecture file: {error}. One lies beside every record.") from error
    if LibraryArchitecture.described_by(architecture):
        return LibraryArchitecture(**architecture), card
    return resolve_space(space).from_dict(architecture), card


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
    if Path(network).suffix == ".json" or Path(network).is_file():
        architecture, card = read_card(Path(network))
        resolution, classes = resolution or card["resolution"], classes or card.get("outputs", len(card["classes"]))
        return Subject(network, architecture, resolution, classes, channels or card["channels"])
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
