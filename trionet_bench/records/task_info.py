"""What a record says of the task that its network was trained for: the metrics, the primary one first."""

from typing import Literal

from pydantic import Field, field_validator

from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.values import Strict

PARTS = ("train", "search_val", "val", "test")  # what a metric may be measured on


class Metric(Strict):
    """One measured quantity.

    In a record it is stored as ``PART_NAME`` (``test_top1``), behind a prefix that says of which weights
    (``inherited_test_top1``, ``finetuned_test_top1``).
    """

    name: str = Field(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$")
    label: str = Field(description="In tables and figures: top-1.")
    unit: Literal["fraction", "nats", "none"] = Field(description="A fraction is 0 to 1, and shown as a percentage.")
    higher_is_better: bool = True


class TaskInfo(Strict):
    """A task by name, with its options and its metrics."""

    name: str
    options: JsonObject = Field(default_factory=dict)
    metrics: tuple[Metric, ...] = Field(min_length=1, description="The primary one, which decides, first.")

    @field_validator("metrics")
    @classmethod
    def _distinct(cls, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
        if len({metric.name for metric in metrics}) < len(metrics):
            raise ValueError("two metrics have the same name")
        return metrics

    @property
    def primary(self) -> Metric:
        """The metric that decides."""
        return self.metrics[0]

    def metric_of(self, measured: str) -> Metric | None:
        """The metric that a key of a record's ``metrics`` measures, such as ``finetuned_test_top1``; None for others.

        The longest name that fits counts, so that metrics ``recall`` and ``mean_recall`` stay apart.
        """
        fitting = [
            metric for metric in self.metrics if any(measured.endswith(f"{part}_{metric.name}") for part in PARTS)
        ]
        return max(fitting, key=lambda metric: len(metric.name), default=None)
