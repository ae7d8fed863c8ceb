"""Which images train, guide the search, validate and test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trionet_bench.data.digest import sha256
from trionet_bench.data.holdout import stratified
from trionet_bench.data.index import Index
from trionet_bench.errors import DataError
from trionet_bench.randomness import derived_generator

NAMES = ("train", "search_val", "val", "test")


class Rows(NamedTuple):
    """Images of one split: ascending positions, int64 (N,), in one part of the source."""

    part: str
    indices: np.ndarray


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
        return {name: len(self[name].indices) for name in NAMES}

    @property
    def hash(self) -> str:
        """SHA-256 over the fingerprint of the data and the part and positions of every split."""
        parts: list[str | bytes] = [self.fingerprint]
        for name in NAMES:
            parts += [name, self[name].part, self[name].indices.astype("<i8").tobytes()]
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
    if "train" not in index.labels or not {"val", "test"} & set(index.labels):
        parts = ", ".join(index.labels)
        raise DataError(f"{index.uri} has the parts {parts}; needed are train and test, or train and val.")
    test_part = "test" if "test" in index.labels else "val"
    used = _used_positions(index, seed, train_images)
    labels = index.labels["train"][used]
    # From here on positions in ``used``.
    for_search = stratified(labels, round(search_val * len(labels)), derived_generator(seed, "search_val"))
    for_training = np.delete(np.arange(len(labels)), for_search)
    if test_part == "test" and "val" in index.labels:
        val_rows = Rows("val", np.arange(len(index.labels["val"])))
    else:
        drawn = stratified(labels[for_training], round(val * len(labels)), derived_generator(seed, "val"))
        val_rows = Rows("train", used[for_training[drawn]])
        for_training = np.delete(for_training, drawn)
    splits = Splits(
        train=Rows("train", used[for_training]),
        search_val=Rows("train", used[for_search]),
        val=val_rows,
        test=Rows(test_part, np.arange(len(index.labels[test_part]))),
        fingerprint=index.fingerprint,
    )
    check_not_empty(index, splits, {"search_val": search_val, "val": val})
    return splits


def check_not_empty(index: Index, splits: Splits, shares: Mapping[str, float]) -> None:
    """DataError for a split without images; it names the class with fewest and the share that was asked for."""
    for name, count in splits.counts.items():
        if count:
            continue
        part = splits[name].part
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
