"""The file that describes a network, ``architecture.json``: its space, its architecture, and its images."""

from collections.abc import Mapping
from pathlib import Path

from trionet_bench.errors import DamagedFile, UsageError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.limits import MOST_CHANNELS, MOST_PIXELS, shown
from trionet_bench.records.store import read_json
from trionet_bench.spaces.choice import Architecture
from trionet_bench.spaces.library import LibraryArchitecture
from trionet_bench.spaces.presets import resolve_space

_LONGEST = 64 * 2**20  # bytes
_MOST_CLASSES = 2**20


def is_card(network: str) -> bool:
    """Whether what was typed as a network is a file, not a published name."""
    return Path(network).suffix == ".json" or Path(network).is_file()


def read_card(path: Path) -> tuple[Architecture, JsonObject]:
    """Read an ``architecture.json``: the architecture, checked against the space in the file, and the file's fields.

    UsageError where the file is unreadable, lacks a part, describes a network outside its space, or asks for sizes that
    no network has. One of a library is in no space.
    """
    try:
        if path.stat().st_size > _LONGEST:
            raise UsageError(f"{path} is not an architecture file: it has more than {_LONGEST // 2**20} MiB.")
        card = read_json(path)
    except (OSError, DamagedFile) as error:
        raise UsageError(f"{path} is not an architecture file: {error} One lies beside every record.") from error
    for part in ("space", "architecture"):
        if not isinstance(card, dict) or not isinstance(card.get(part), Mapping):
            raise UsageError(f'{path} is not an architecture file: it has no "{part}". One lies beside every record.')
    for name, most in (("resolution", MOST_PIXELS), ("channels", MOST_CHANNELS), ("outputs", MOST_CHANNELS)):
        value = card.get(name, 1)
        least = 0 if name == "outputs" else 1  # an encoder has no outputs
        if type(value) is not int or not least <= value <= most:
            raise UsageError(f"{path}: {name} must be a whole number of {least} to {most}, not {shown(value)}.")
    classes = card.get("classes", [])
    if not isinstance(classes, list) or len(classes) > _MOST_CLASSES or not all(isinstance(c, str) for c in classes):
        raise UsageError(f"{path}: classes must be a list of up to {_MOST_CLASSES} names.")
    if LibraryArchitecture.described_by(card["architecture"]):
        return LibraryArchitecture(**card["architecture"]), card
    try:
        return resolve_space(card["space"]).from_dict(card["architecture"]), card
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
