"""How values of a metric are printed and drawn: fractions in percent, others as plain numbers in their unit."""

from dataclasses import dataclass

from trionet_bench.analysis.metrics import is_accuracy, sign
from trionet_bench.analysis.results import Results
from trionet_bench.records.task_info import Metric
from trionet_bench.reporting import text
from trionet_bench.reporting.text import DASH, absent

_MORE_DIGITS = 2  # of numbers that are no percentages


@dataclass(frozen=True)
class Quantity:
    """One metric in words and numbers. A missing number is an en dash."""

    metric: Metric

    @property
    def is_fraction(self) -> bool:
        """Whether values are 0 to 1 and shown in percent."""
        return self.metric.unit == "fraction"

    @property
    def scale(self) -> int:
        """What values are multiplied with to be drawn."""
        return 100 if self.is_fraction else 1

    @property
    def upper(self) -> float:
        """The largest possible value."""
        return 1.0 if self.is_fraction else float("inf")

    @property
    def direction(self) -> int:
        """1 where more is better, -1 where less is."""
        return sign(self.metric)

    @property
    def label(self) -> str:
        """In tables and figures: top-1."""
        return self.metric.label

    @property
    def noun(self) -> str:
        """In sentences: accuracy."""
        return "accuracy" if is_accuracy(self.metric) else self.metric.label

    @property
    def unit(self) -> str:
        """Behind a number: "%", "nats" or nothing."""
        return {"fraction": "%", "nats": "nats", "none": ""}[self.metric.unit]

    @property
    def difference_unit(self) -> str:
        """Behind a difference: "points" (of percent), "nats" or nothing."""
        return "points" if self.is_fraction else self.unit

    @property
    def bracketed(self) -> str:
        """The unit as the end of a heading: " (%)"."""
        return f" ({self.unit})" if self.unit else ""

    @property
    def difference_bracketed(self) -> str:
        """The unit of a difference as the end of a heading: " (points)"."""
        return f" ({self.difference_unit})" if self.difference_unit else ""

    @property
    def heading(self) -> str:
        """Of a column: "Top-1 (%)"."""
        return f"{capitalised(self.label)}{self.bracketed}"

    @property
    def in_unit(self) -> str:
        """In a sentence: " in percent"."""
        return " in percent" if self.is_fraction else f" in {self.unit}" if self.unit else ""

    @property
    def best(self) -> str:
        """What is best: "highest" or "lowest"."""
        return "highest" if self.direction > 0 else "lowest"

    def axis(self, before: str, after: str = "") -> str:
        """Label of an axis: "test top-1, trained alone (%)"."""
        return f"{before} {self.label}{after}{self.bracketed}"

    def number(self, value: float | None, digits: int = 1) -> str:
        """A value without its unit."""
        if self.is_fraction:
            return text.percent(value, digits)
        return text.plain(value, digits + _MORE_DIGITS)

    def with_unit(self, value: float | None) -> str:
        """A value with its unit: "83.1 %", "0.412 nats"."""
        return f"{self.number(value)} {self.unit}".rstrip()

    def spread(self, mean: float | None, sd: float | None) -> str:
        """Mean and standard deviation."""
        return self.number(mean) if absent(mean) or absent(sd) else f"{self.number(mean)} ± {self.number(sd)}"

    def interval(self, low: float | None, high: float | None) -> str:
        """Bounds of a value; those of a fraction are cut at 0 and 100 percent."""
        if low is None or high is None or absent(low) or absent(high):
            return DASH
        if self.is_fraction:
            low, high = max(low, 0), min(high, 1)
        return f"[{self.number(low)}, {self.number(high)}]"

    def difference(self, value: float | None) -> str:
        """A difference with its sign, without its unit: percentage points of a fraction."""
        if self.is_fraction:
            return text.points(value)
        return DASH if value is None or absent(value) else text.signed(value, 1 + _MORE_DIGITS)

    def size(self, value: float) -> str:
        """How large a difference is, with its unit: "1.2 points"."""
        return f"{self.number(value)} {self.difference_unit}".rstrip()

    def difference_interval(self, low: float | None, high: float | None) -> str:
        """Bounds of a difference."""
        return DASH if absent(low) or absent(high) else f"[{self.difference(low)}, {self.difference(high)}]"


def primary(results: Results) -> Quantity:
    """The metric that decides in these results."""
    return Quantity(results.primary)


def quantity_of(results: Results, column: str) -> Quantity:
    """The metric of a column of cells."""
    return Quantity(results.metric(column))


def spoken(results: Results, column: str) -> str:
    """A column of cells in words: test_top1 is "test top-1", finetuned_test_top1 "fine-tuned test top-1"."""
    metric = results.task.metric_of(column)
    words = column if metric is None else column.removesuffix(metric.name)
    words = words.replace("finetuned", "fine-tuned").replace("val_", "validation_").replace("_", " ")
    return words if metric is None else f"{words}{metric.label}"


def capitalised(words: str) -> str:
    """With a capital first letter, the others as they are; a name such as mAP stays."""
    return words if words[1:2].isupper() else words[:1].upper() + words[1:]
