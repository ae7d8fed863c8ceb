"""What a run would cost, as text."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trionet_bench.units import duration, prefixed

if TYPE_CHECKING:
    from trionet_bench.execution.estimate import Estimate  # loads torch, which a run of a finished suite does not need


def estimate_lines(work: "Estimate", workers: int, by_records: float | None) -> Iterator[str]:
    """A line for each part of the study, then the totals.

    Args:
        work: the estimated compute.
        workers: how many jobs run at a time.
        by_records: seconds of one worker going by the durations of earlier cells; None without any.
    """
    for names, what in ((work.published, "counted by its published numbers"), (work.unknown, "left out below")):
        for name in names:
            yield f"data set {name} is not here; {what}"
    for name in work.silent:
        yield f"system {name} does not say what its shared phases compute; left out below"
    if not work.parts:
        return
    heads = ["", "jobs", "images forward", "images trained", "MACs", f"time on {work.device}"]
    rows = [
        [p.what, f"{p.jobs}", f"{p.forward_images:,}", f"{p.trained_images:,}", _short(p.macs), _spent(p.seconds)]
        for p in work.parts
    ]
    macs = sum(part.macs for part in work.parts)
    rows.append(["all", "", "", "", _short(macs), _spent(work.seconds)])
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        yield "  ".join(
            text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        )
    at_once = f", {_spent(work.seconds / workers)} with {workers} workers" if workers > 1 else ""
    yield (
        f"about {_spent(work.seconds)} of one worker{at_once}: MACs at the pace of a short measurement, without "
        "loading of images; networks count at their budget"
    )
    if by_records:
        yield f"about {_spent(by_records)} of one worker, going by cells that were run before"
    yield (
        f"decoded images {_short(work.data_bytes)}B, weights that stay {_short(work.weights_bytes)}B, checkpoint of a "
        f"worker up to {_short(work.checkpoint_bytes)}B"
    )


def _short(number: float) -> str:
    return prefixed(number, separator=" ")


def _spent(seconds: float) -> str:
    return duration(seconds, days=True)
