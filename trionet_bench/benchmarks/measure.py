"""What all benchmarks share: how they are asked, a case beside its reference, targets, and what is printed of them.

A benchmark is a function ``measure(setting, tell)`` that returns one JSON document: ``environment``, ``cases`` and
``targets``. A case has ``median_ms`` and every sample, the same of its reference, and their ratio.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from trionet_bench.training.device import environment

Tell = Callable[[int, int, str], None]  # steps done, all steps, what was found
Document = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """How to measure.

    Args:
        device: as ``training.device.resolve_device`` reads it.
        threads: of torch on a CPU; None is torch's own choice.
        samples: of every case; None is what the benchmark thinks enough.
        quick: only the cases that targets are stated for, few samples: a first look.
    """

    device: str = "auto"
    threads: int | None = None
    samples: int | None = None
    quick: bool = False

    def count(self, usual: int) -> int:
        """Samples of a case that usually gets so many."""
        return self.samples or (min(usual, 3) if self.quick else usual)


@dataclass(frozen=True)
class Target:
    """A stated bound, and what was found."""

    name: str
    limit: float
    at_least: bool
    found: float
    met: bool


def at_least(name: str, limit: float, values: Iterable[float]) -> list[Target]:
    """The target that the smallest of ``values`` must meet; none where there are no values."""
    worst = min(values, default=None)
    return [] if worst is None else [Target(name, limit, True, worst, worst >= limit)]


def at_most(name: str, limit: float, values: Iterable[float]) -> list[Target]:
    """The target that the largest of ``values`` must meet; none where there are no values."""
    worst = max(values, default=None)
    return [] if worst is None else [Target(name, limit, False, worst, worst <= limit)]


def compared(
    facts: Mapping[str, Any], ours: Sequence[float], reference: str, theirs: Sequence[float], paired: bool = False
) -> dict[str, Any]:
    """A case: milliseconds of ours beside those of the reference. ``ratio`` is ours over the reference's.

    The ratio is that of the medians, or where samples are ``paired``, each of another piece of work, the median of
    theirs.
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


def document(
    bench: str, device: torch.device, threads: int, cases: list[dict[str, Any]], targets: list[Target]
) -> Document:
    """What ``bench NAME --json`` prints."""
    return {
        "schema": 1,
        "bench": bench,
        "environment": {**environment(device).model_dump(), "threads": threads},
        "cases": cases,
        "targets": [asdict(target) for target in targets],
    }


def line_of(row: Mapping[str, Any]) -> str:
    """A case in one line."""
    ours, theirs = f"{row['median_ms']:.4g} ms", f"{row['reference_ms']:.4g} ms"
    return f"{row['case']}: {ours}, {row['ratio']:.3g} of {row['reference']} ({theirs})"


def target_line(target: Mapping[str, Any]) -> str:
    """A target in one line."""
    bound = "at least" if target["at_least"] else "at most"
    verdict = "met" if target["met"] else "MISSED"
    return f"{target['name']}: {target['found']:.4g}, {bound} {target['limit']:g} wanted: {verdict}"
