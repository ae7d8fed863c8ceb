"""The page of ``bench all``: how fast each operator is, the targets, then a table for each benchmark."""

from collections.abc import Mapping

import matplotlib.ticker as ticker
import pandas as pd
from matplotlib.figure import Figure

from trionet_bench.benchmarks.measure import Document, Row
from trionet_bench.benchmarks.operator_speed import operator_speed
from trionet_bench.reporting.figures.figure import Drawing, inline_svg, saved, settle
from trionet_bench.reporting.pages import page_environment
from trionet_bench.reporting.style import MET_COLOUR, MISSED_COLOUR, MUTED, Style, drawn_in, new_figure, style_named
from trionet_bench.reporting.text import DASH

_FACTS = ("case", "device", "dtype")  # the first columns
_TIMES = ("median_ms", "reference", "reference_ms", "ratio")
_HEADINGS = {
    "dtype": "Number format",
    "median_ms": "Ours (ms)",
    "reference_ms": "Reference (ms)",
    "ratio": "Ours over reference",
    "error": "Difference from float64",
    "peak_memory_bytes": "Peak memory (MB)",
    "reference_peak_memory_bytes": "Reference's (MB)",
    "ratio_to_conv3": "Time over conv 3x3",
    "first_ms": "First of all (ms)",
    "per_second": "Architectures a second",
    "cell_s": "Whole cell (s)",
    "gmacs_per_second": "GMAC/s",
    "share_of_float32_peak": "Share of the float32 peak",
    "share_of_bfloat16_peak": "Share of the bfloat16 peak",
}
_LEFT_OUT = {
    *("samples_ms", "reference_samples_ms", "forward_backward_ms", "ratio_to_reference", "operator", "window"),
    *("channels", "heads", "size", "batch", "terms", "kind", "network", "space", "source", "recipe", "resolution"),
    *("macs", "float32_peak_gmacs_per_second", "bfloat16_peak_gmacs_per_second"),
}


def page(results: Document, titles: Mapping[str, str]) -> str:
    """The HTML page of a document of ``everything.measure_all``, in one file."""
    benches = results["benches"]
    targets = [{**target, "bench": bench} for bench, one in benches.items() for target in one["targets"]]
    return (
        page_environment()
        .get_template("benchmarks.html.j2")
        .render(
            command=results["command"],
            code=results["code"],
            made=next((one["environment"] for one in benches.values() if "environment" in one), {}),
            speed=operator_speed(benches["operators"]) if "operators" in benches else None,
            targets=targets,
            met=sum(target["met"] for target in targets),
            picture=picture(targets),
            tables=[(bench, titles[bench], *table(one), one.get("error")) for bench, one in benches.items()],
            shown=shown,
        )
    )


def table(document: Document) -> tuple[str, list[str], list[list[object]]]:
    """The facts that all cases have in common, headings and rows: facts that differ, times, other single values."""
    cases = document["cases"]
    keys = dict.fromkeys(key for row in cases for key in row if key not in _LEFT_OUT)
    common = [key for key in _FACTS if key in keys and len({row.get(key) for row in cases}) == 1 < len(cases)]
    first = [key for key in (*_FACTS, *_TIMES) if key in keys and key not in common]
    columns = [*first, *(key for key in keys if key not in first and key not in common)]
    threads = document.get("environment", {}).get("threads")
    note = [*(str(cases[0][key]) for key in common), *([f"{threads} threads"] if threads else [])]
    rows = [[_in_unit(column, row.get(column)) for column in columns] for row in cases]
    return ", ".join(note), [_heading(column) for column in columns], rows


def _heading(column: str) -> str:
    return _HEADINGS.get(column, column.removesuffix("_bytes").replace("_", " ").capitalize())


def _in_unit(column: str, value: object) -> object:
    return value / 1e6 if column.endswith("_bytes") and isinstance(value, int | float) else value


def shown(value: object) -> str:
    """A value in a table."""
    if value is None:
        return DASH
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if type(value) is int else str(value)


def picture(targets: list[Row]) -> str:
    """How far each target is met, as inline SVG: the measured value over its limit, so that left of 1 is better."""
    if not targets:
        return ""
    style = style_named("paper")
    with drawn_in(style):
        drawing = _margins(targets, style)
        settle(drawing)
        return inline_svg(saved(Drawing(drawing, pd.DataFrame(), ""), "svg"), "targets")


def _margins(targets: list[Row], style: Style) -> Figure:
    values = [t["limit"] / t["found"] if t["at_least"] else t["found"] / t["limit"] for t in targets]
    figure = new_figure(style.page, 0.5 + 0.19 * len(targets))
    axes = figure.subplots()
    places = range(len(targets))
    for place, value, target in zip(places, values, targets, strict=True):
        colour = MET_COLOUR if target["met"] else MISSED_COLOUR
        axes.plot([1, value], [place, place], color=colour)
        axes.plot(value, place, "o" if target["met"] else "s", color=colour)
    axes.axvline(1, color=MUTED, linewidth=style.line)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_yticks(places, [target["name"] for target in targets])
    axes.invert_yaxis()
    axes.set_xlabel("Measured over its limit (of at least: limit over measured); left of 1 is met")
    return figure
