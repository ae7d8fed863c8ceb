"""Image classification: one class for each image."""

from typing import ClassVar

import numpy as np

from trionet_bench.records.task_info import Metric
from trionet_bench.tasks.base import Columns, Task


class Classification(Task):
    """Cross entropy with the recipe's label smoothing; top-1 and top-5 accuracy as fractions."""

    name: ClassVar[str] = "classification"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(name="top1", label="top-1", unit="fraction"),
        Metric(name="top5", label="top-5", unit="fraction"),
    )
    implementation: ClassVar[str] = "trionet_bench.tasks.classification.runner:ClassificationRunner"

    def chance(self, labels: np.ndarray) -> float:
        """The share of the most frequent class."""
        return float(np.bincount(labels).max() / len(labels))

    def measure(self, columns: Columns) -> dict[str, float]:
        """From ``labels`` and ``predictions``, class numbers (N,), and ``top5_correct``, bool (N,)."""
        return {
            "top1": float(np.mean(columns["predictions"] == columns["labels"])),
            "top5": float(np.mean(columns["top5_correct"])),
        }
