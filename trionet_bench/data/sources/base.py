"""A data source: a URI becomes an index of labelled images, without decoding one and without importing torch.

A URI is ``scheme:path?option=value&option=value``. A source is one file here with ``open_index(uri, places)``, and one
entry in ``SCHEMES``. Every source takes the option ``flip``: 0 says that a mirrored image means something else (text,
signs), so that no recipe mirrors it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

import numpy as np

from trionet_bench.errors import DataError, UsageError, nearest

if TYPE_CHECKING:
    from PIL.Image import Image

SCHEMES = {
    "sklearn": "trionet_bench.data.sources.bundled",
    "folder": "trionet_bench.data.sources.folder",
    "torchvision": "trionet_bench.data.sources.vision",
    "imagenet": "trionet_bench.data.sources.imagenet",
    "csv": "trionet_bench.data.sources.table",
    "npz": "trionet_bench.data.sources.npz",
    "hf": "trionet_bench.data.sources.hub",
    "synthetic": "trionet_bench.data.sources.synthetic",
}
COMMON_OPTIONS = ("flip",)
SHOWN = 5


@dataclass(frozen=True)
class Uri:
    """A parsed source URI; ``text`` is what the person wrote."""

    text: str
    scheme: str
    path: str
    options: Mapping[str, str] = field(default_factory=dict)

    def check_options(self, *allowed: str) -> None:
        """UsageError for an option that this source does not have."""
        for option in self.options:
            if option not in (*allowed, *COMMON_OPTIONS):
                hint = nearest(option, [*allowed, *COMMON_OPTIONS])
                raise UsageError(f'{self.text}: unknown option "{option}" of the source; {hint}')

    def choice(self, option: str, allowed: tuple[str, ...]) -> str:
        """The value of ``option``; the first of ``allowed`` when it is not given."""
        value = self.options.get(option, allowed[0])
        if value not in allowed:
            raise UsageError(f'{self.text}: {option} cannot be "{value}"; {nearest(value, allowed)}')
        return value

    def number(self, option: str, default: int, at_least: int = 0) -> int:
        """The value of ``option`` as a whole number."""
        value = self.options.get(option, str(default))
        if not value.isdecimal() or int(value) < at_least:
            raise UsageError(f'{self.text}: {option} cannot be "{value}"; give a whole number of at least {at_least}')
        return int(value)

    def flag(self, option: str, default: bool = False) -> bool:
        """A yes-or-no option, written 1 or 0."""
        return self.choice(option, ("1", "0") if default else ("0", "1")) == "1"


@dataclass(frozen=True)
class Places:
    """Where to look: named sets under ``data_root``, relative paths from ``base``, the folder of the suite file."""

    data_root: Path
    base: Path

    def resolve(self, path: str) -> Path:
        """A path of a URI: from the base or, where there is nothing of that name, from the data root."""
        from_base = (self.base / Path(path).expanduser()).resolve()
        from_root = self.data_root / path
        return from_root if from_root.exists() and not from_base.exists() else from_base


class Reader(Protocol):
    """How a source gets at its images. Readers are plain picklable values: worker processes receive them."""

    def read(self, part: str, position: int) -> "Image":
        """One image, in whatever mode and size it is stored."""

    def item(self, part: str, position: int) -> str:
        """What to call this image in a message: its relative path, or its number."""

    def arrays(self, part: str) -> np.ndarray | None:
        """All images as uint8 (N, H, W, C) where the source is an array already, else None."""


@dataclass(frozen=True, eq=False)
class Index:
    """What a source holds: its classes, its labels by part, and a reader for the images.

    ``labels`` has the part "train", and "test" or "val" or both. ``native_size`` is the common side, or the median
    short side. ``fingerprint`` changes when the data change, and is computed without decoding. ``flip_safe`` is False
    where a mirrored image means something else.
    """

    uri: str
    name: str
    classes: tuple[str, ...]
    channels: int
    native_size: int
    labels: Mapping[str, np.ndarray]
    reader: Reader
    fingerprint: str
    flip_safe: bool = True
    licence: str | None = None
    citation: str | None = None
    warnings: tuple[str, ...] = ()

    @cached_property
    def counts(self) -> dict[str, int]:
        return {part: len(labels) for part, labels in self.labels.items()}

    def read(self, part: str, position: int) -> "Image":
        return self.reader.read(part, position)

    def item(self, part: str, position: int) -> str:
        return self.reader.item(part, position)

    def arrays(self, part: str) -> np.ndarray | None:
        return self.reader.arrays(part)


def parse_uri(text: str) -> Uri:
    scheme, colon, rest = text.partition(":")
    if not colon:
        raise UsageError(f'"{text}" is not a data source; write scheme:path, for example folder:{text}')
    if scheme not in SCHEMES:
        raise UsageError(f'{text}: unknown kind of source "{scheme}"; {nearest(scheme, list(SCHEMES))}')
    path, _, query = rest.partition("?")
    if not path:
        raise UsageError(f"{text}: the source needs a name or a path after {scheme}:")
    options: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key in options:
            raise UsageError(f'{text}: the option "{key}" is given twice')
        options[key] = value
    return Uri(text, scheme, path, options)


def open_source(uri: str, data_root: Path | None = None, base: Path | None = None) -> Index:
    """The index of ``uri``. Nothing is decoded, downloaded or written; DataError says what is missing and where.

    Args:
        data_root: folder of the named sets; ``data`` in the working directory when not given.
        base: folder that relative paths start from; the working directory when not given.
    """
    parsed = parse_uri(uri)
    places = Places(data_root=Path(data_root or "data").expanduser().resolve(), base=Path(base or ".").resolve())
    index: Index = import_module(SCHEMES[parsed.scheme]).open_index(parsed, places)
    flip_safe = parsed.flag("flip", default=index.flip_safe)
    return replace(
        index,
        flip_safe=flip_safe,
        fingerprint=sha256(index.fingerprint, f"flip_safe={flip_safe}"),
        warnings=(*index.warnings, *missing_classes(index)),
    )


def missing_classes(index: Index) -> list[str]:
    """A warning for each part that lacks a class. One that only train lacks is a DataError: it cannot be learned."""
    present = {part: np.bincount(labels, minlength=len(index.classes)) > 0 for part, labels in index.labels.items()}
    notes = []
    for part, of_part in present.items():
        if unknown := [index.classes[number] for number in np.flatnonzero(of_part & ~present["train"])]:
            raise unknown_classes(index.uri, part, unknown)
        if missing := [index.classes[number] for number in np.flatnonzero(~of_part)]:
            notes.append(f"{part} has no image of class {some(missing)}")
    return notes


def unknown_classes(uri: str, part: str, names: Sequence[str]) -> DataError:
    """What to say of classes that a part has and train has not."""
    return DataError(
        f"{uri}: {part} has class {some(names)}, which train does not have. Add train images, or remove it from {part}."
    )


def some(names: Sequence[str]) -> str:
    """A few of the names in quotes, and that there are more."""
    return ", ".join(f'"{name}"' for name in names[:SHOWN]) + (" and more" if len(names) > SHOWN else "")


def sha256(*parts: str | bytes) -> str:
    """SHA-256 over ``parts``, each preceded by its length, so that no two lists run together."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()
