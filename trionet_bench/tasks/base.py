"""What a task says of itself before anything runs: options, metrics, splits, and the width of the output head.

A task is a frozen pydantic model whose fields are its options, so that a suite's ``task:`` entry, a cell's key and a
record's ``task`` come from one definition. Nothing here loads torch; what runs is named by ``implementation``.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.splits import Rows, Splits, make_splits, official_test
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.task_info import Metric, TaskInfo
from trionet_bench.records.values import Strict

Columns = Mapping[str, np.ndarray]


class Task(Strict):
    """Base of all tasks.

    Attributes:
        name: as suites say it.
        implementation: ``module:class`` of its ``tasks.runner.TaskRunner``.
    """

    name: ClassVar[str]
    implementation: ClassVar[str]

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """What is measured, the primary one, which decides, first; a class variable where options do not change it."""

    @property
    def info(self) -> TaskInfo:
        """For the record."""
        return TaskInfo(name=self.name, options=self.options, metrics=self.metrics)

    @property
    def options(self) -> JsonObject:
        """All options as plain values."""
        return self.model_dump(mode="json")

    def key_fields(self) -> JsonObject:
        """What of the task enters a key."""
        return {"name": self.name, **self.options}

    def splits(self, index: Index, seed: int, search_val: float, val: float, train_images: int | None) -> Splits:
        """Which images train, guide the search, validate and test; the default is ``make_splits``. DataError."""
        return make_splits(index, seed, search_val, val, train_images)

    def test_images(self, index: Index) -> Rows:
        """The images that ``splits`` tests, whatever the seed and the shares."""
        return official_test(index)

    def outputs(self, index: Index) -> int:
        """Width of the output head; the default is the number of classes."""
        return len(index.classes)

    @abstractmethod
    def measure(self, columns: Columns) -> dict[str, float]:
        """Every metric from what ``TaskRunner.evaluate`` notes of the images, arrays (N, ...) by name.

        It needs no network, so that a record's metrics can be recomputed from its predictions.
        """

    def chance(self, labels: np.ndarray) -> float | None:
        """What the best constant answer achieves in the primary metric, a share of the images with these labels (N,);
        None where that is not defined. A search does not begin at chance.
        """
        return None

    @property
    def primary(self) -> Metric:
        """The metric that decides."""
        return self.metrics[0]

    def fitness(self, metrics: Mapping[str, float]) -> float:
        """What a search maximises: the primary metric, negated where lower is better."""
        return self.sign * metrics[self.primary.name]

    @property
    def sign(self) -> int:
        """Fitness over primary metric, and the other way round: 1 or -1."""
        return 1 if self.primary.higher_is_better else -1

    def on_part(self, part: str, metrics: Mapping[str, float]) -> dict[str, float]:
        """Metrics under the names that a record has for them: ``{"test_top1": ...}`` for ``part="test"``."""
        return {f"{part}_{name}": value for name, value in metrics.items()}
