"""What all benchmarks share: a case beside its reference, targets, and how they are printed.

A benchmark is a function ``measure(setting, on_case)`` that returns one JSON document: ``environment``, ``cases`` and
``targets``. A case has ``median_ms`` and every sample, the same of its reference, and their ratio.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

from trionet_bench.jsontypes import JsonObject
from trionet_bench.training.device import environment

OnCase = Callable[[int, int, str], None]  # cases done, all cases, the last one in one line
Row = JsonObject  # a case, or a target, of a JSON document
Document = JsonObject


@dataclass(frozen=True)
class Target:
    """A stated bound and the worst measured value."""

    name: str
    limit: float
    at_least: bool
    measured: float
    met: bool

    def to_dict(self) -> Row:
        """The target in a JSON document, where the measured value is ``found``."""
        return {
            "name": self.name,
            "limit": self.limit,
            "at_least": self.at_least,
            "found": self.measured,
            "met": self.met,
        }


def at_least(name: str, limit: float, values: Iterable[float]) -> list[Target]:
    """A target that holds where the smallest of ``values`` is at least ``limit``; none without values."""
    worst = min(values, default=None)
    return [] if worst is None else [Target(name, limit, True, worst, worst >= limit)]


def at_most(name: str, limit: float, values: Iterable[float]) -> list[Target]:
    """A target that holds where the largest of ``values`` is at most ``limit``; none without values."""
    worst = max(values, default=None)
    return [] if worst is None else [Target(name, limit, False, worst, worst <= limit)]


def compared(facts: Row, ours: Sequence[float], reference: str, theirs: Sequence[float], paired: bool = False) -> Row:
    """A case: ``facts``, milliseconds of ours and of the reference, and ``ratio``, ours over the reference's.

    The ratio is that of the medians. Where samples are ``paired``, because each pair measures other work, it is the
    median of the pairs' ratios.
    """
    mine, other = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True)) if paired else mine / other
    return {
        **facts,
        "median_ms": mine,
        "samples_ms": list(ours),
        "reference": reference,
        "reference_ms": other,
        "reference_samples_ms": list(theirs),
        "ratio": ratio,
    }


def document(bench: str, device: torch.device, threads: int, cases: list[Row], targets: list[Target]) -> Document:
    """The JSON document that ``bench NAME --json`` prints."""
    return {
        "schema": 1,
        "bench": bench,
        "environment": {**environment(device).model_dump(), "threads": threads},
        "cases": cases,
        "targets": [target.to_dict() for target in targets],
    }


def line_of(row: Row) -> str:
    """A case in one line."""
    line = f"{row['case']}: {row['median_ms']:.4g} ms"
    if "reference" in row:
        line += f", {row['ratio']:.3g} of {row['reference']} ({row['reference_ms']:.4g} ms)"
    if "share_of_time" in row:
        line += f", {row['share_of_time']:.0%} of the time"
    if "images_per_second" in row:
        line += f", {row['images_per_second']:,.0f} images/s"
    if "gmacs_per_second" not in row:
        return line
    shares = (
        f"{row['share_of_float32_peak']:.0%} of the peak in float32, {row['share_of_bfloat16_peak']:.0%} in bfloat16"
    )
    return f"{line}; {row['gmacs_per_second']:.3g} GMAC/s, {shares}"


def target_line(target: Row) -> str:
    """A target in one line."""
    bound = "at least" if target["at_least"] else "at most"
    verdict = "met" if target["met"] else "MISSED"
    return f"{target['name']}: {target['found']:.4g}, {bound} {target['limit']:g} wanted: {verdict}"
