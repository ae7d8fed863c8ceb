"""The named sets: published facts about each, from ``named.yaml``."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import yaml
from pydantic import model_validator

from trionet_bench.data.index import Index
from trionet_bench.data.sources.uri import as_uri, parse_uri
from trionet_bench.errors import DataError, UsageError, nearest
from trionet_bench.records.values import Strict

if TYPE_CHECKING:
    from PIL.Image import Image


State = Literal["here", "partial", "wrong", "fetch", "by hand"]


@dataclass(frozen=True)
class Standing:
    """How a named set stands below a data root.

    Args:
        state: ``here``, as far as the names of its files tell; ``partial`` where some of them are missing; ``wrong``
            where a folder of its name holds none of them; else ``fetch`` where `data fetch` gets it, or ``by hand``.
        detail: where it is, what is missing, or how to get it.
    """

    state: State
    detail: str


class NamedSet(Strict):
    """Facts about one set; the head of ``named.yaml`` explains the fields."""

    name: str
    uri: str
    classes: int
    counts: dict[str, dict[str, int]]
    licence: str
    citation: str
    layout: str
    needs: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    flip_safe: bool = True
    split: str | None = None
    manual: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_name(cls, fields: dict[str, object]) -> dict[str, object]:
        """Replaces {name} in ``needs`` and ``layout``, which several sets may share."""
        name, needs = fields["name"], cast("Sequence[str]", fields.get("needs", ()))
        return {
            "uri": f"torchvision:{name}",
            **fields,
            "needs": [path.format(name=name) for path in needs],
            "layout": str(fields["layout"]).format(name=name),
        }

    def place(self, data_root: Path) -> Path | None:
        """The folder that holds the files, or None: the data root (torchvision's sets only) or a folder in it.

        That folder has the name of the set, written in any way: fashion_mnist for FashionMNIST.
        """
        return next((place for place in self._places(data_root) if not self.missing(place)), None)

    def _places(self, data_root: Path) -> list[Path]:
        """Where its files may lie."""
        folders = sorted(entry for entry in data_root.iterdir() if entry.is_dir()) if data_root.is_dir() else []
        places = [folder for folder in folders if simplified(folder.name) == simplified(self.name)]
        return [data_root, *places] if self.uri.startswith("torchvision:") else places

    def standing(self, data_root: Path) -> Standing:
        """Whether it is below ``data_root``, in part or whole, and else how to get it. No file is opened."""
        if not self.needs:
            return Standing("here", "made by this program, or part of a package")
        places = self._places(data_root)
        lacking = {place: self.missing(place) for place in places}
        for place in places:
            if not lacking[place]:
                return Standing("here", str(place))
        for place in places:
            if len(lacking[place]) < len(self.needs):
                return Standing("partial", f"{place} lacks {', '.join(lacking[place])}")
        for place in places:
            if place != data_root and any(place.iterdir()):
                return Standing("wrong", f"{place} has none of {', '.join(self.needs)}")
        if self.manual:
            return Standing("by hand", self.manual)
        return Standing("fetch", f"trionet-bench data fetch {self.name}")

    def missing(self, place: Path) -> list[str]:
        """The files and folders that this set needs and ``place`` lacks."""
        return [path for path in self.needs if not any(place.glob(path))]

    def not_found(self, uri: str, place: Path, where: str) -> DataError:
        """The error for files that are not in ``place``: what was looked for and where, the layout, how to get them."""
        lacking = ", ".join(self.missing(place)[:3])
        get = self.manual or f"Get it with `trionet-bench data fetch {self.name}`, the only command that downloads."
        tree = "\n".join(f"    {line}" for line in self.layout.splitlines())
        return DataError(f"{uri} is not under {where} (looked for {lacking}). Expected is\n{tree}\n{get}")

    def described(self, index: Index) -> Index:
        """The index with flip safety, licence and citation of this set."""
        return replace(index, flip_safe=self.flip_safe, licence=self.licence, citation=self.citation)

    def assert_counts(self, index: Index, choice: str = "train") -> None:
        """DataError with both numbers where images of a part, or classes, are not as many as published.

        ``choice`` is the value of the option ``train``, for sets whose train part may include val.
        """
        for part, expected in self.counts[choice].items():
            count = index.counts.get(part, 0)
            if count != expected:
                raise self._mismatch(index, f"{part} has {count} images", expected)
        if len(index.classes) != self.classes:
            raise self._mismatch(index, f"there are {len(index.classes)} classes", self.classes)

    def _mismatch(self, index: Index, statement: str, expected: int) -> DataError:
        return DataError(
            f"{index.uri}: {statement}, where {self.name} has {expected}. "
            f"Restore what is missing, or add subset=1 to the options of the source if it is a part on purpose."
        )


def simplified(name: str) -> str:
    """A name in lower case without dashes and underscores, which people write differently."""
    return re.sub("[_-]", "", name).lower()


def named_set(name: str) -> NamedSet:
    """The set of that name, compared by ``simplified``; UsageError with the nearest name where there is none."""
    for known, facts in named_sets().items():
        if simplified(known) == simplified(name):
            return facts
    raise UsageError(f'there is no named set "{name}"; {nearest(name, list(named_sets()))}')


def named_uri(name: str) -> str:
    """The URI of what was typed: a named set, a path that exists, or a URI; UsageError for a name that is none."""
    if ":" in name or os.path.exists(os.path.expanduser(name)):
        return as_uri(name)
    try:
        return named_set(name).uri
    except UsageError as error:
        raise UsageError(f"{name} is no file or folder here, and {error}") from None


def facts_of(uri: str) -> NamedSet | None:
    """What is published of the set that a URI opens; None where it is of no named set."""
    asked = parse_uri(uri)
    for facts in named_sets().values():
        known = parse_uri(facts.uri)
        if asked.scheme == known.scheme and known.path in (asked.path, "PATH"):
            return facts
    return None


def published_index(uri: str) -> Index | None:
    """What is published of a named set as an index without images, for plans; None where the URI is of no named set.

    Labels are evenly distributed, ``native_size`` is 0 and the fingerprint empty.
    """
    facts = facts_of(uri)
    if facts is None:
        return None
    counts = facts.counts.get(parse_uri(uri).options.get("train", ""), next(iter(facts.counts.values())))
    return Index(
        uri=uri,
        name=facts.name,
        classes=facts.class_names or tuple(map(str, range(facts.classes))),
        channels=3,
        native_size=0,
        labels={part: np.arange(count) % facts.classes for part, count in counts.items()},
        reader=_AbsentReader(),
        fingerprint="",
    )


class _AbsentReader:
    """The reader of a set whose images are not here."""

    def read(self, part: str, position: int) -> "Image":
        raise DataError(f"{self.item(part, position)} is not here.")

    def item(self, part: str, position: int) -> str:
        return f"{part} image {position}"

    def arrays(self, part: str) -> None:
        return None

    def digests(self, part: str) -> np.ndarray:
        raise DataError(f"{part} images are not here.")


@cache
def named_sets() -> dict[str, NamedSet]:
    """All named sets, by name."""
    text = files("trionet_bench.data.sources").joinpath("named.yaml").read_text(encoding="utf-8")
    return {name: NamedSet(name=name, **facts) for name, facts in yaml.safe_load(text).items()}
