"""Which image trains, which guides the search, which validates, which tests: stratified, seeded, stored with a hash."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trionet_bench.data.sources.base import Index, sha256
from trionet_bench.errors import DataError, StoreError
from trionet_bench.randomness import derived_generator

NAMES = ("train", "search_val", "val", "test")


class Rows(NamedTuple):
    """Images of one split: positions, ascending, within one part of the source."""

    part: str
    indices: np.ndarray


@dataclass(frozen=True, eq=False)
class Splits:
    """The four disjoint splits of a data set. The searcher sees train and search_val; test is for the final number."""

    train: Rows
    search_val: Rows
    val: Rows
    test: Rows
    fingerprint: str

    def __getitem__(self, name: str) -> Rows:
        rows: Rows = getattr(self, name)
        return rows

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(self[name].indices) for name in NAMES}

    @property
    def hash(self) -> str:
        """SHA-256 over the data's fingerprint and every split's part and positions."""
        parts: list[str | bytes] = [self.fingerprint]
        for name in NAMES:
            parts += [name, self[name].part, self[name].indices.astype("<i8").tobytes()]
        return sha256(*parts)

    def save(self, path: Path) -> None:
        splits = {name: {"part": self[name].part, "indices": self[name].indices.tolist()} for name in NAMES}
        content = {"schema": 1, "hash": self.hash, "fingerprint": self.fingerprint, "splits": splits}
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(json.dumps(content) + "\n")
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Splits":
        """The splits stored in ``path``; StoreError when they are not what their hash says."""
        try:
            content = json.loads(path.read_text())
            rows = {
                name: Rows(content["splits"][name]["part"], np.array(content["splits"][name]["indices"], np.int64))
                for name in NAMES
            }
            splits, stored_hash = cls(**rows, fingerprint=content["fingerprint"]), content["hash"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path} is not a split file: {error}. Delete it to have it made again.") from error
        if splits.hash != stored_hash:
            raise StoreError(f"{path} was changed: its hash is {splits.hash[:12]}, it states {stored_hash[:12]}.")
        return splits


def make_splits(
    index: Index, seed: int, search_val: float = 0.1, val: float = 0.1, train_images: int | None = None
) -> Splits:
    """Splits of ``index``: the official test images, and two validation sets cut from train by ``seed``.

    A source with its own val part beside test keeps it as val. One with val but no test (the ImageNet convention) is
    tested on it. ``search_val`` and ``val`` are shares of the train part, or of the ``train_images`` of it that are
    used, drawn by class and ``seed``. DataError where so few leave a class without images.
    """
    if "train" not in index.labels or not {"val", "test"} & set(index.labels):
        found = ", ".join(index.labels)
        raise DataError(f"{index.uri} has the parts {found}; needed are train and test, or train and val.")
    test_part = "test" if "test" in index.labels else "val"
    used = _used(index, seed, train_images)
    labels = index.labels["train"][used]
    held = stratified(labels, round(search_val * len(labels)), derived_generator(seed, "search_val"))
    kept = np.setdiff1d(np.arange(len(labels)), held)
    if test_part == "test" and "val" in index.labels:
        val_rows = Rows("val", np.arange(len(index.labels["val"])))
    else:
        chosen = stratified(labels[kept], round(val * len(labels)), derived_generator(seed, "val"))
        val_rows = Rows("train", used[kept[chosen]])
        kept = np.setdiff1d(kept, kept[chosen])
    return Splits(
        train=Rows("train", used[kept]),
        search_val=Rows("train", used[held]),
        val=val_rows,
        test=Rows(test_part, np.arange(len(index.labels[test_part]))),
        fingerprint=index.fingerprint,
    )


def _used(index: Index, seed: int, train_images: int | None) -> np.ndarray:
    labels = index.labels["train"]
    if train_images is None or train_images >= len(labels):
        return np.arange(len(labels))
    used = stratified(labels, train_images, derived_generator(seed, "train_images"))
    if len(np.unique(labels[used])) < len(np.unique(labels)):
        raise DataError(
            f"{index.uri}: {train_images} training images leave one of {len(index.classes)} classes without any. "
            "Raise train_images."
        )
    return used


def stratified(labels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """``count`` positions, ascending, that hold each class in proportion (largest remainders), never all of a class."""
    sizes = np.bincount(labels)
    exact = count * sizes / len(labels)
    quota = np.minimum(np.floor(exact).astype(np.int64), np.maximum(sizes - 1, 0))
    for class_ in np.argsort(np.floor(exact) - exact, kind="stable"):
        if quota.sum() < count and quota[class_] < sizes[class_] - 1:
            quota[class_] += 1
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1])
    chosen = [generator.permutation(members)[:take] for members, take in zip(by_class, quota, strict=True)]
    return np.sort(np.concatenate(chosen))
