"""Which images train, guide the search, validate and test."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from trionet_bench.data.digest import sha256
from trionet_bench.data.holdout import stratified
from trionet_bench.data.index import Index
from trionet_bench.errors import DataError
from trionet_bench.randomness import derived_generator

NAMES = ("train", "search_val", "val", "test")


@dataclass(frozen=True, eq=False)
class Rows:
    """Images of one split: for each part of the source that has some, ascending positions, int64 (N,)."""

    by_part: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, part: str, positions: np.ndarray) -> Self:
        """Images of one part."""
        return cls({part: positions})

    def __len__(self) -> int:
        return sum(map(len, self.by_part.values()))

    def labels(self, index: Index) -> np.ndarray:
        """Class numbers (N,), in the order of the split."""
        return np.concatenate([index.labels[part][positions] for part, positions in self.by_part.items()])

    def numbered(self, offsets: Mapping[str, int]) -> np.ndarray:
        """Numbers over all parts (N,), where the first image of each part has the number in ``offsets``."""
        return np.concatenate([offsets[part] + positions for part, positions in self.by_part.items()])

    def take(self, chosen: np.ndarray) -> "Rows":
        """Those at these ascending positions of the split (n,); a part that none is from is left out."""
        starts = np.cumsum([0, *map(len, self.by_part.values())])
        taken = {}
        for (part, positions), first, end in zip(self.by_part.items(), starts, starts[1:], strict=False):
            if len(within := chosen[(chosen >= first) & (chosen < end)]):
                taken[part] = positions[within - first]
        return Rows(taken)

    @cached_property
    def places(self) -> list[tuple[str, int]]:
        """Part and position of each image, in the order of the split."""
        return [(part, int(position)) for part, positions in self.by_part.items() for position in positions]


@dataclass(frozen=True, eq=False)
class Splits:
    """The four splits of a data set, without an image in common.

    A search sees train and search_val, val is for the record alone, test is for the final number. Nothing is assumed of
    the labels: classes of test need not be among those of train.

    Args:
        fingerprint: of the index that the positions belong to.
    """

    train: Rows
    search_val: Rows
    val: Rows
    test: Rows
    fingerprint: str

    def __getitem__(self, name: str) -> Rows:
        """The split of a name in ``NAMES``."""
        return {"train": self.train, "search_val": self.search_val, "val": self.val, "test": self.test}[name]

    @property
    def counts(self) -> dict[str, int]:
        """Number of images in each split."""
        return {name: len(self[name]) for name in NAMES}

    @property
    def hash(self) -> str:
        """SHA-256 over the fingerprint of the data and the part and positions of every split."""
        parts: list[str | bytes] = [self.fingerprint]
        for name in NAMES:
            parts.append(name)
            for part, positions in self[name].by_part.items():
                parts += [part, positions.astype("<i8").tobytes()]
        return sha256(*parts)


def make_splits(
    index: Index, seed: int, search_val: float = 0.1, val: float = 0.1, train_images: int | None = None
) -> Splits:
    """The splits of a classification data set: official test images, validation images drawn from train by class.

    A val part beside a test part is kept as val. A source with val and without test, as ImageNet, is tested on val.

    Args:
        seed: of the draws.
        search_val: share of the used train images that guides a search.
        val: share of the used train images that validates, where there is no val part.
        train_images: use only so many images of the train part, drawn by class.

    Raises:
        DataError: where train, or both test and val are missing, where a split has no image, or ``train_images``
            leaves a class without any.
    """
    test = official_test(index)
    used = _used_positions(index, seed, train_images)
    labels = index.labels["train"][used]
    # From here on positions in ``used``.
    for_search = stratified(labels, round(search_val * len(labels)), derived_generator(seed, "search_val"))
    for_training = np.delete(np.arange(len(labels)), for_search)
    if "test" in test.by_part and "val" in index.labels:
        val_rows = Rows.of("val", np.arange(len(index.labels["val"])))
    else:
        drawn = stratified(labels[for_training], round(val * len(labels)), derived_generator(seed, "val"))
        val_rows = Rows.of("train", used[for_training[drawn]])
        for_training = np.delete(for_training, drawn)
    splits = Splits(
        train=Rows.of("train", used[for_training]),
        search_val=Rows.of("train", used[for_search]),
        val=val_rows,
        test=test,
        fingerprint=index.fingerprint,
    )
    check_not_empty(index, splits, {"search_val": search_val, "val": val})
    return splits


def official_test(index: Index) -> Rows:
    """The test part, or val where there is no test; DataError where train, or both, are missing."""
    if "train" not in index.labels or not {"val", "test"} & set(index.labels):
        parts = ", ".join(index.labels)
        raise DataError(f"{index.uri} has the parts {parts}; needed are train and test, or train and val.")
    part = "test" if "test" in index.labels else "val"
    return Rows.of(part, np.arange(len(index.labels[part])))


def check_not_empty(index: Index, splits: Splits, shares: Mapping[str, float]) -> None:
    """DataError for a split without images; it names the class with fewest and the share that was asked for."""
    for name, count in splits.counts.items():
        if count:
            continue
        part = " and ".join(splits[name].by_part)
        sizes = np.bincount(index.labels["train"], minlength=len(index.classes))
        fewest = int(np.argmin(np.where(sizes > 0, sizes, len(index.labels["train"]) + 1)))
        share = f", of which {shares[name]:g} are asked for" if name in shares else ""
        raise DataError(
            f"{index.uri}: the split {name} of part {part} has no image: train has {sizes.sum()} images{share}, and "
            f'{sizes[fewest]} of class "{index.classes[fewest]}"; one of each class stays in train. Add images of '
            "each class, or raise the share."
        )


def _used_positions(index: Index, seed: int, train_images: int | None) -> np.ndarray:
    """Positions in the train part, ascending: all, or ``train_images`` of them drawn by class."""
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
