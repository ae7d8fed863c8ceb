"""Networks by name or by architecture file, for ``profile`` and for loading what a run found."""

from pathlib import Path
from typing import Any

import torch

from trionet_bench.errors import UsageError
from trionet_bench.networks.cost import counted_macs, profile
from trionet_bench.networks.skeletons import build_network
from trionet_bench.records.store import read_json
from trionet_bench.spaces.choice import Architecture
from trionet_bench.spaces.presets import resolve_space
from trionet_bench.spaces.published import published


def read_card(path: Path) -> tuple[Architecture, dict[str, Any]]:
    """An ``architecture.json``: the network, checked against the space that the file names, and the rest of the file.

    UsageError where the file is unreadable, lacks a part, or describes a network outside its space.
    """
    try:
        card = read_json(path)
        space, architecture = card["space"], card["architecture"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not an architecture file: {error}. One lies beside every record.") from error
    return resolve_space(space).from_dict(architecture), card


def profile_network(network: str, resolution: int | None, classes: int | None) -> dict[str, Any]:
    """Parameters and MACs of a named network or an architecture file, at 224 pixels and 1000 classes unless said.

    ``macs_counted`` is the operator-level count, which must equal the closed form; ArithmeticError where it does not.
    """
    if Path(network).suffix == ".json" or Path(network).is_file():
        architecture, card = read_card(Path(network))
        resolution, classes = resolution or card["resolution"], classes or len(card["classes"])
        channels = card["channels"]
    else:
        architecture, channels = published(network), 3
        resolution, classes = resolution or 224, classes or 1000
    with torch.device("meta"):
        built = build_network(architecture, classes, channels, resolution)
    cost = profile(built, resolution)
    counted = counted_macs(built, resolution, resolution, channels)
    if counted != cost.macs:
        raise ArithmeticError(f"closed form gives {cost.macs} MACs, the operator-level counter {counted}")
    return {"name": network, "resolution": resolution, "classes": classes, **cost.to_dict(), "macs_counted": counted}
