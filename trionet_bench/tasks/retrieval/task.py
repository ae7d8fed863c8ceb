"""Zero-shot image retrieval: an embedding is learnt on some classes and finds images of the others by similarity."""

from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from trionet_bench.data.holdout import SPLIT_SEED, stratified
from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.splits import Rows, Splits
from trionet_bench.errors import DataError
from trionet_bench.randomness import derived_generator
from trionet_bench.records.task_info import Metric
from trionet_bench.tasks.base import Columns, Task

LEAST_CLASSES = 2
LEAST_IMAGES = 2  # of a class that is tested: a query, and one to be found


class Retrieval(Task):
    """Every test image is a query among all others, none of whose classes was trained on.

    Song et al. 2016 (arXiv 1511.06452) set the protocol: the first half of the classes trains, the rest is tested,
    whatever the parts of the source; similarity is the cosine. Validation images are of the classes that train, our
    choice, so that neither a search nor a recipe sees a class of the test.

    Args:
        train_classes: how many classes train; a number from 0 to 1 is a share of all, rounded.
        order: whether these are the ``first`` or are ``drawn``, the same in every run.
        ranks: the k of each Recall@k; the first one decides.
        embedding: dimensions of an embedding, which is a linear map of pooled features.
        loss: ``proxy-anchor`` (Kim et al. 2020, arXiv 2003.13911), or ``norm-softmax``, a softmax over cosines (Zhai
            and Wu 2019, arXiv 1811.12649).
        margin, alpha: of Proxy-Anchor, as published.
        temperature: of the softmax, as published.
    """

    name: ClassVar[str] = "retrieval"
    implementation: ClassVar[str] = "trionet_bench.tasks.retrieval.runner:RetrievalRunner"

    train_classes: Annotated[float, Field(gt=0)] = 0.5
    order: Literal["first", "drawn"] = "first"
    ranks: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)] = (1, 2, 4, 8)
    embedding: Annotated[int, Field(gt=1)] = 128
    loss: Literal["proxy-anchor", "norm-softmax"] = "proxy-anchor"
    margin: float = 0.1
    alpha: Annotated[float, Field(gt=0)] = 32.0
    temperature: Annotated[float, Field(gt=0)] = 0.05

    @model_validator(mode="after")
    def _ascending_ranks(self) -> Self:
        if list(self.ranks) != sorted(set(self.ranks)):
            raise ValueError("ranks must ascend")
        return self

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Recall at each rank, and mAP@R (Musgrave et al. 2020, arXiv 2003.08505)."""
        recalls = [Metric(name=f"recall_{rank}", label=f"Recall@{rank}", unit="fraction") for rank in self.ranks]
        return *recalls, Metric(name="map_r", label="mAP@R", unit="fraction")

    def trained_on(self, classes: int) -> np.ndarray:
        """Numbers of the classes that train, ascending, of so many in all; DataError where two are not left to test."""
        count = round(self.train_classes * classes) if self.train_classes < 1 else round(self.train_classes)
        if not LEAST_CLASSES <= count <= classes - LEAST_CLASSES:
            raise DataError(
                f"retrieval with train_classes {self.train_classes:g} trains on {count} of {classes} classes; it needs "
                f"{LEAST_CLASSES} to train on and {LEAST_CLASSES} to test on. Change train_classes of the task."
            )
        if self.order == "first":
            return np.arange(count)
        return np.sort(derived_generator(SPLIT_SEED, "train_classes").permutation(classes)[:count])

    def outputs(self, index: Index) -> int:
        """Dimensions of an embedding."""
        return self.embedding

    def test_images(self, index: Index) -> Rows:
        """All images, from any part, of the classes that do not train."""
        return _of_classes(index, self.trained_on(len(index.classes)), within=False)

    def splits(self, index: Index, seed: int, search_val: float, val: float, train_images: int | None) -> Splits:
        """All images of the classes that train, from any part, divided into train, search_val and val by class and
        seed; all images of the other classes are test.

        ``train_images`` are drawn by class from the former. DataError where a class that is tested or a validation
        split cannot be searched in: a class needs two images.
        """
        pool, test = _of_classes(index, self.trained_on(len(index.classes)), within=True), self.test_images(index)
        if train_images is not None and train_images < len(pool):
            pool = pool.take(stratified(pool.labels(index), train_images, derived_generator(seed, "train_images")))
        asked = {"search_val": round(search_val * len(pool)), "val": round(val * len(pool))}
        cut = {}
        for name, count in asked.items():
            drawn = stratified(pool.labels(index), count, derived_generator(seed, name))
            cut[name] = pool.take(drawn)
            pool = pool.take(np.delete(np.arange(len(pool)), drawn))
        _check_pairs(index, "test", test, every_class=True)
        for name, rows in cut.items():
            _check_pairs(index, name, rows, every_class=False)
        return Splits(train=pool, **cut, test=test, fingerprint=index.fingerprint)

    def measure(self, columns: Columns) -> dict[str, float]:
        """From ``first_match``, the rank of the nearest image of the query's class, 0 where none is, and
        ``average_precision`` over the first R, NaN for queries whose class has no other image, which do not count.
        """
        counted = ~np.isnan(columns["average_precision"])
        found = columns["first_match"][counted]
        recalls = {f"recall_{rank}": float(np.mean((found > 0) & (found <= rank))) for rank in self.ranks}
        return {**recalls, "map_r": float(np.mean(columns["average_precision"][counted]))}


def _of_classes(index: Index, classes: np.ndarray, within: bool) -> Rows:
    """Images whose class is, or is not, among these."""
    return Rows({part: np.flatnonzero(np.isin(labels, classes) == within) for part, labels in index.labels.items()})


def _check_pairs(index: Index, name: str, rows: Rows, every_class: bool) -> None:
    sizes = np.unique(rows.labels(index), return_counts=True)[1] if len(rows) else np.zeros(1, np.int64)
    if (sizes.min() if every_class else sizes.max()) < LEAST_IMAGES:
        lacking = "a class has one image there" if every_class else "no class has two images there"
        raise DataError(
            f"{index.uri}: the split {name} cannot be searched in: {lacking}. Add images of each class, or raise "
            f"the share {name}."
        )
