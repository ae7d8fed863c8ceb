"""The named sets: what is known of each before its first byte is read."""

import re
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import numpy as np
import yaml
from pydantic import model_validator

from trionet_bench.data.sources.base import Index
from trionet_bench.errors import DataError, UsageError, nearest
from trionet_bench.records.record import Strict

if TYPE_CHECKING:
    from PIL.Image import Image


class NamedSet(Strict):
    """Facts about one set; see the head of ``named.yaml`` for what the fields mean."""

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
        """Puts the name where ``needs`` and ``layout`` are shared by several sets."""
        name = fields["name"]
        return {
            "uri": f"torchvision:{name}",
            **fields,
            "needs": [str(path).format(name=name) for path in fields.get("needs", ())],  # type: ignore[attr-defined]
            "layout": str(fields["layout"]).format(name=name),
        }

    def place(self, data_root: Path) -> Path | None:
        """Where the files are: the data root, or a folder of the set's name in it (fashion_mnist for FashionMNIST)."""
        folders = sorted(entry for entry in data_root.iterdir() if entry.is_dir()) if data_root.is_dir() else []
        places = [folder for folder in folders if simplified(folder.name) == simplified(self.name)]
        if self.uri.startswith("torchvision:"):
            places.insert(0, data_root)
        return next((place for place in places if not self.missing(place)), None)

    def missing(self, place: Path) -> list[str]:
        """The files and folders that this set needs and ``place`` lacks."""
        return [path for path in self.needs if not any(place.glob(path))]

    def not_found(self, uri: str, looked: list[Path]) -> DataError:
        """What to say when the files are not there."""
        where = " or ".join(str(place) for place in looked)
        lacking = ", ".join(self.missing(looked[0])[:3])
        get = self.manual or f"Get it with `trionet-bench data fetch {self.name}`, the only command that downloads."
        tree = "\n".join(f"    {line}" for line in self.layout.splitlines())
        return DataError(f"{uri} is not under {where} (looked for {lacking}). Expected is\n{tree}\n{get}")

    def described(self, index: Index) -> Index:
        """The index with what is known of this set."""
        return replace(index, flip_safe=self.flip_safe, licence=self.licence, citation=self.citation)

    def assert_counts(self, index: Index, choice: str = "train") -> None:
        """DataError with both numbers when there are not as many images of a part, or classes, as published."""
        for part, expected in self.counts[choice].items():
            found = index.counts.get(part, 0)
            if found != expected:
                raise self._mismatch(index, f"{part} has {found} images", expected)
        if len(index.classes) != self.classes:
            raise self._mismatch(index, f"there are {len(index.classes)} classes", self.classes)

    def _mismatch(self, index: Index, found: str, expected: int) -> DataError:
        return DataError(
            f"{index.uri}: {found}, where {self.name} has {expected}. "
            f"Restore what is missing, or add subset=1 to the options of the source if it is a part on purpose."
        )


def simplified(name: str) -> str:
    """A name without what people write differently: CUB_200_2011, cub-200-2011."""
    return re.sub("[_-]", "", name).lower()


def named_set(name: str) -> NamedSet:
    """The set of that name, however it is written."""
    for known, facts in named_sets().items():
        if simplified(known) == simplified(name):
            return facts
    raise UsageError(f'there is no named set "{name}"; {nearest(name, list(named_sets()))}')


def source_uri(name: str) -> str:
    """A URI from what a person calls a source: its URI, or the name of a set that is known."""
    return name if ":" in name else named_set(name).uri


def published_index(uri: str) -> Index | None:
    """What is published of a named set as an index without images, for plans; None where the URI is of no named set."""
    address, _, query = uri.partition("?")
    for facts in named_sets().values():
        known = facts.uri.partition("?")[0]
        if address == known or (known.endswith(":PATH") and address.startswith(known.removesuffix("PATH"))):
            chosen = dict(parse_qsl(query)).get("train", next(iter(facts.counts)))
            counts = facts.counts.get(chosen, next(iter(facts.counts.values())))
            return Index(
                uri=uri,
                name=facts.name,
                classes=facts.class_names or tuple(map(str, range(facts.classes))),
                channels=3,
                native_size=0,
                labels={part: np.arange(count) % facts.classes for part, count in counts.items()},
                reader=_Nowhere(),
                fingerprint="",
            )
    return None


class _Nowhere:
    """The reader of images that are not here."""

    def read(self, part: str, position: int) -> "Image":
        raise DataError(f"{self.item(part, position)} is not here.")

    def item(self, part: str, position: int) -> str:
        return f"{part} image {position}"

    def arrays(self, part: str) -> None:
        return None


@cache
def named_sets() -> dict[str, NamedSet]:
    """All named sets, by name."""
    text = files("trionet_bench.data.sources").joinpath("named.yaml").read_text(encoding="utf-8")
    return {name: NamedSet(name=name, **facts) for name, facts in yaml.safe_load(text).items()}
