"""A figure as a value: the drawing, the exact data behind it, and its finding in words; saved the same to the byte."""

import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd
from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from trionet_bench.analysis.results import Results
from trionet_bench.reporting.labels import fit_labels, prepare_labels
from trionet_bench.reporting.style import GRID, INK, MUTED, PAPER, Style, dark_colours
from trionet_bench.units import counted

# Whatever would carry the time of saving or the version of the drawing library.
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class Drawing:
    """What one builder returns. ``alt`` states the finding, ``note`` what a reader must know to read it."""

    figure: Figure
    data: pd.DataFrame
    alt: str
    note: str = ""


@dataclass(frozen=True)
class LeftOut:
    """Instead of a figure that would say nothing. ``reason`` completes "It is left out: ", without a full stop."""

    reason: str


@dataclass(frozen=True)
class FigureKind:
    """One kind of figure. ``build`` returns None when its data do not exist.

    ``title`` may hold ``{noun}`` or ``{Noun}`` for the primary metric.
    """

    name: str
    title: str
    section: str
    build: Callable[[Results, Style], Drawing | LeftOut | None]


def most_often(models: Iterable[str]) -> tuple[str, str]:
    """Which model is first on most data sets, of the first one of each, and " on 2 of 3 data sets"; "" for one set."""
    firsts = pd.Series([*models]).value_counts(sort=False)
    sets = int(firsts.sum())
    return str(firsts.idxmax()), f" on {firsts.max()} of {counted(sets, 'data set')}" if sets > 1 else ""


def settle(figure: Figure) -> None:
    """Fit the labels and arrange the axes, once; without this every format would arrange them again."""
    labels = prepare_labels(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    fit_labels(figure, labels)


def saved(drawing: Drawing, form: str) -> bytes:
    """The figure in "svg", "pdf" or "png", without dates, so that equal figures are equal files.

    Printed by the canvas of the form: ``Figure.savefig`` draws everything twice, to arrange what is arranged already.
    """
    figure, buffer = drawing.figure, io.BytesIO()
    canvas, dpi = figure.canvas, figure.dpi
    try:
        if form == "svg":
            FigureCanvasSVG(figure).print_svg(buffer, metadata=_METADATA[form])  # type: ignore[no-untyped-call]
        elif form == "pdf":
            FigureCanvasPdf(figure).print_pdf(buffer, metadata=_METADATA[form])  # type: ignore[no-untyped-call]
        else:
            figure.set_dpi(rcParams["savefig.dpi"])
            FigureCanvasAgg(figure).print_png(buffer, metadata=_METADATA[form])  # type: ignore[no-untyped-call]
    finally:
        figure.set_canvas(canvas)
        figure.set_dpi(dpi)
    return buffer.getvalue()


def inline_svg(svg: bytes, name: str) -> str:
    """The SVG as part of a page: ids that begin with ``name``, colours that follow the page's light or dark scheme."""
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->\n?", "", text, flags=re.S)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    for colour, variable in ((INK, "ink"), (MUTED, "muted"), (GRID, "rule"), (PAPER, "paper")):
        text = text.replace(colour, f"var(--{variable})")
    for colour in dark_colours():
        text = text.replace(colour, f"var(--c-{colour[1:]}, {colour})")
    return text
