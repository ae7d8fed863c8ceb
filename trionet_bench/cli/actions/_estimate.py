"""What a run would cost, as text."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trionet_bench.execution.devices import StatedMachine
from trionet_bench.units import counted, duration, prefixed

if TYPE_CHECKING:
    from trionet_bench.execution.estimate import Estimate  # loads torch, which a run of a finished suite does not need


def estimate_lines(
    work: "Estimate", workers: int, by_records: float | None, machine: StatedMachine | None
) -> Iterator[str]:
    """The totals in a few lines.

    Args:
        work: the estimated compute.
        workers: how many jobs run at a time.
        by_records: seconds of one worker going by the durations of earlier cells; None without any.
        machine: the stated one, where that is not this machine.
    """
    for names, what in ((work.published, "counted by its published numbers"), (work.unknown, "left out below")):
        for name in names:
            yield f"data set {name} is not here; {what}"
    for name in work.silent:
        yield f"system {name} does not say what its shared phases compute; left out below"
    if not work.parts:
        return
    where = machine.text if machine else f"{counted(workers, 'worker')} on {work.device}"
    one = f" ({_spent(work.seconds)} of one worker)" if workers > 1 else ""
    why = "MACs at the pace of a short measurement"
    if machine:
        why = f"{_short(machine.device.macs_per_s)}MAC/s of one in training, {machine.device.why}"
    yield (
        f"about {_spent(work.seconds / workers)} with {where}{one}: {why}, without loading of images; networks count "
        "at their budget"
    )
    if by_records and machine is None:
        yield f"about {_spent(by_records / workers)} going by cells that were run before"
    longest_first = sorted(work.parts, key=lambda part: part.seconds, reverse=True)
    shares = ", ".join(f"{part.what} {part.seconds / work.seconds:.0%}" for part in longest_first if part.seconds)
    yield f"{_short(sum(part.macs for part in work.parts))} MACs: {shares}"
    yield (
        f"decoded images {_short(work.data_bytes)}B, weights that stay {_short(work.weights_bytes)}B, checkpoint of a "
        f"worker up to {_short(work.checkpoint_bytes)}B"
    )


def part_rows(work: "Estimate") -> tuple[list[str], list[list[str]]]:
    """Heads and rows of a table of the parts of the study, the sum last."""
    heads = ["", "jobs", "images forward", "images trained", "MACs", f"time on {work.device}"]
    rows = [
        [p.what, f"{p.jobs}", f"{p.forward_images:,}", f"{p.trained_images:,}", _short(p.macs), _spent(p.seconds)]
        for p in work.parts
    ]
    return heads, [*rows, ["all", "", "", "", _short(sum(p.macs for p in work.parts)), _spent(work.seconds)]]


def _short(number: float) -> str:
    return prefixed(number, separator=" ")


def _spent(seconds: float) -> str:
    return duration(seconds, days=True)
