"""How fast each operator is against a 3x3 convolution: what the page of benchmarks answers first."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from trionet_bench.benchmarks.measure import Document, Row
from trionet_bench.reporting.text import DASH, listed

_TERMS = {"plain": "", "position_sensitive": " +pos"}


@dataclass(frozen=True)
class OperatorSpeed:
    """The answer in a sentence, and a table: a row for each size of a feature map, a column for each operator."""

    answer: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def operator_speed(document: Document) -> OperatorSpeed | None:
    """From the document of the benchmark ``operators``; None where it has no other operator than the convolution.

    The numbers are times over that of a 3x3 convolution of the same width, timed in turns with it, forward and backward
    together; the convolution's own column has milliseconds.
    """
    compared = [row for row in document["cases"] if "ratio_to_conv3" in row and row["operator"] != "conv"]
    cases = {row["case"]: row for row in compared}  # a case has a row for each of its references
    if not cases:
        return None
    formats = list(dict.fromkeys(row["dtype"] for row in cases.values()))
    sizes = list(dict.fromkeys(map(_size, cases.values())))
    names = sorted(dict.fromkeys(map(_name, cases.values())), key=lambda name: (name.startswith("axial"), name))
    ratios = {(_size(row), _name(row)): float(row["ratio_to_conv3"]) for row in cases.values()}
    convolution: dict[str, list[float]] = {size: [] for size in sizes}
    for row in cases.values():
        convolution[_size(row)].append(row["median_ms"] / row["ratio_to_conv3"])
    plain = [name for name in names if not name.endswith(_TERMS["position_sensitive"])] or names
    spoken = [_spoken(name, [ratio for (_, of), ratio in ratios.items() if of == name]) for name in plain]
    answer = (
        f"Forward and backward in {listed(formats)} take {listed(spoken)} of the time of a 3x3 convolution of the same"
    )
    answer += " width, by the size of the feature map."
    rows = tuple(
        (size, f"{median(convolution[size]):.3g}", *(_ratio(ratios.get((size, name))) for name in names))
        for size in sizes
    )
    return OperatorSpeed(answer, ("Feature map", "conv 3x3 (ms)", *names), rows)


def _name(row: Row) -> str:
    """local 7x7 +pos, where that is position-sensitive."""
    window = f" {row['window']}x{row['window']}" if row["window"] else ""
    return f"{row['operator']}{window}{_TERMS.get(row['terms'], '')}"


def _size(row: Row) -> str:
    """Channels by height by width, and batch: 128x56x56, batch 8."""
    return f"{row['channels']}x{row['size']}x{row['size']}, batch {row['batch']}"


def _spoken(name: str, ratios: Sequence[float]) -> str:
    if len(ratios) == 1:
        return f"{ratios[0]:.2g} ({name})"
    return f"{min(ratios):.2g} to {max(ratios):.2g} ({name})"


def _ratio(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}"
