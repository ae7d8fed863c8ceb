"""What a run would cost, as text."""

from collections.abc import Iterator

from trionet_bench.execution.estimate import Estimate
from trionet_bench.progress import duration

_UNITS = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def estimate_lines(work: Estimate, workers: int, by_records: float | None) -> Iterator[str]:
    """A line for each part of the study, and what it all comes to; ``by_records`` are seconds by earlier cells."""
    for names, what in ((work.published, "counted by its published numbers"), (work.unknown, "left out below")):
        for name in names:
            yield f"data set {name} is not here; {what}"
    for name in work.silent:
        yield f"system {name} does not say what its shared phases compute; left out below"
    if not work.parts:
        return
    heads = ["", "jobs", "images forward", "images trained", "MACs", f"time on {work.device}"]
    rows = [
        [p.what, f"{p.jobs}", f"{p.forward_images:,}", f"{p.trained_images:,}", short(p.macs), spent(p.seconds)]
        for p in work.parts
    ]
    macs = sum(part.macs for part in work.parts)
    rows.append(["all", "", "", "", short(macs), spent(work.seconds)])
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        yield "  ".join(
            text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        )
    at_once = f", {spent(work.seconds / workers)} with {workers} workers" if workers > 1 else ""
    yield (
        f"about {spent(work.seconds)} of one worker{at_once}: MACs at the pace of a short measurement, without loading "
        "of images; networks count at their budget"
    )
    if by_records:
        yield f"about {spent(by_records)} of one worker, going by cells that were run before"
    yield (
        f"decoded images {short(work.data_bytes)}B, weights that stay {short(work.weights_bytes)}B, checkpoint of a "
        f"worker up to {short(work.checkpoint_bytes)}B"
    )


def short(number: float) -> str:
    """Three digits and a unit of a thousand: 4.1 T, 820 M."""
    for size, unit in _UNITS:
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} "


def spent(seconds: float) -> str:
    """A duration; days from two on."""
    return f"{seconds / 86400:.1f} days" if seconds >= 2 * 86400 else duration(seconds)
