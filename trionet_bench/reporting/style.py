"""How figures look: colours that colour-blind readers and grey printers tell apart, each with a marker, line and hatch.

Fonts are those that matplotlib brings along, so that a figure is the same to the byte on every machine.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from trionet_bench.errors import UsageError, nearest
from trionet_bench.jsontypes import JsonObject
from trionet_bench.reporting.labels import ROOM, drawn_width
from trionet_bench.spaces.operators import OPERATORS, LineStyle

# The page swaps these four for its own colours when it is shown dark; nothing else may use them.
INK, MUTED, GRID, PAPER = "#1b1f24", "#5b6570", "#dfe3e8", "#ffffff"

OTHER_COLOUR, OTHER_HATCH = "#9a9fa6", "++"  # also of operators in records that are not registered here
MET_COLOUR, MISSED_COLOUR = "#029e73", "#de8f05"  # of a target

# Of models that are named like no operator. Colours are far from each other and from those of operators, also for
# colour-blind readers; two models that share a marker have colours that are far apart for everybody.
_SEARCHED = [
    *("#882255", "#56b4e9", "#aa7733", "#332288", "#cc79a7", "#77841d", "#e5b17e", "#72723f", "#990780"),
    *("#09bf64", "#e50bc1", "#a8bf39", "#e50b0b", "#9544e5", "#990707", "#0b0be5", "#7e7ee5"),
]
_SEARCHED_ON_DARK = {
    **{"#882255": "#d87fa8", "#332288": "#9a92ea", "#990780": "#dd77cc", "#990707": "#e08080", "#0b0be5": "#8f8ff5"},
    **{"#9544e5": "#b98af0", "#72723f": "#a5a56a"},
}
Marker = str | tuple[int, Literal[1], int]  # of matplotlib: a name, or points of a star, 1, and its angle
_OTHER_MARKERS: list[Marker] = ["D", "P", "v", "<", ">", "h", "*", (4, 1, 0), (3, 1, 0), (4, 1, 45), (3, 1, 180)]
_OTHER_LINES: list[LineStyle] = [
    *("-", (0, (7, 1, 1, 1)), (0, (3, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (9, 2)), (0, (2, 2)), (0, (5, 1, 5, 3))),
]
_OTHER_HATCHES = [
    "xx",
    "//",
    "\\\\",
    "--",
    "++",
    "**",
    "oo",
    "x.",
    "/.",
    "\\.",
    "-.",
    "+.",
    "xo",
    "/o",
    "\\o",
    "-o",
    "+o",
]

# From fewer than the prior gives to more, each end as dark as the other.
OVER_PRIOR = LinearSegmentedColormap.from_list("over_prior", ["#7a3e06", "#d9a15b", "#f7f5fa", "#8f7cba", "#3b2468"])
SHARES = LinearSegmentedColormap.from_list("shares", ["#f7f5fa", "#cfc6e3", "#8f7cba", "#553c8b", "#2a1a50"])


@dataclass(frozen=True)
class Look:
    """How one model is drawn everywhere."""

    colour: str
    marker: Marker
    line: LineStyle
    hatch: str = ""


@dataclass(frozen=True)
class Style:
    """Sizes of one use, in inches and points. ``column`` and ``page`` are the widths of a narrow and a wide figure."""

    name: str
    column: float
    page: float
    font: str
    size: float
    line: float

    @property
    def small(self) -> float:
        """The least text size."""
        return self.size - 1

    @property
    def scale(self) -> float:
        return self.size / 8

    @property
    def narrow(self) -> "Style":
        """The same for a phone: no figure is wider than a column, and panels stand one below the other."""
        return replace(self, page=self.column)

    def rc(self) -> JsonObject:
        return {
            "font.family": [self.font, "DejaVu Sans"],  # the second has more scripts; both come with matplotlib
            "text.parse_math": False,  # a dollar sign in the name of a class is a dollar sign
            "font.size": self.size,
            "axes.titlesize": self.size,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": self.size,
            "xtick.labelsize": self.small,
            "ytick.labelsize": self.small,
            "legend.fontsize": self.small,
            "legend.frameon": False,
            "legend.handlelength": 2.2,
            "legend.columnspacing": 1.4,
            "figure.facecolor": PAPER,
            "axes.facecolor": PAPER,
            "savefig.facecolor": PAPER,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "axes.edgecolor": MUTED,
            "axes.linewidth": 0.6 * self.scale,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.grid.axis": "y",
            "grid.color": GRID,
            "grid.linewidth": 0.5 * self.scale,
            "xtick.major.size": 2.5 * self.scale,
            "ytick.major.size": 0,
            "xtick.major.width": 0.6 * self.scale,
            "xtick.minor.size": 0,
            "lines.linewidth": self.line,
            "lines.markersize": 4.2 * self.scale,
            "lines.markeredgewidth": 0.7 * self.scale,
            "hatch.linewidth": 0.6 * self.scale,
            "patch.linewidth": 0.6 * self.scale,
            "axes.unicode_minus": True,
            "figure.dpi": 150,
            "savefig.dpi": 240,
            "svg.hashsalt": "trionet_bench",
            "svg.fonttype": "path",
            "pdf.fonttype": 42,
        }


STYLES = {
    "paper": Style("paper", column=3.3, page=6.9, font="STIXGeneral", size=8.5, line=1.2),
    "slide": Style("slide", column=6.4, page=12.0, font="DejaVu Sans", size=14, line=2.2),
}


def style_named(name: str) -> Style:
    if name not in STYLES:
        raise UsageError(f'unknown style "{name}"; {nearest(name, list(STYLES))}')
    return STYLES[name]


def looks(models: Sequence[str]) -> dict[str, Look]:
    """One look a model: that of the operator it is named like, grey for random search, for others the next one free.

    Seventeen others have a colour and a hatch of their own, and no two of them the same marker and line.
    """
    chosen: dict[str, Look] = {}
    others = [model for model in models if model not in OPERATORS and model != "random"]
    for model in models:
        if model in OPERATORS:
            spec = OPERATORS.get(model)
            chosen[model] = Look(spec.colour, spec.marker, spec.line, spec.hatch)
        elif model == "random":
            chosen[model] = Look("#7b828a", "X", (0, (2, 1.2)), "..")
        else:
            place = others.index(model)
            colour, hatch = (parts[place % len(parts)] for parts in (_SEARCHED, _OTHER_HATCHES))
            marker, line = _OTHER_MARKERS[place % len(_OTHER_MARKERS)], _OTHER_LINES[place % len(_OTHER_LINES)]
            chosen[model] = Look(colour, marker, line, hatch)
    return chosen


def dark_colours() -> dict[str, str]:
    """Colours that would be too dark on a dark page -> lighter ones."""
    return {spec.colour: spec.dark_colour for spec in OPERATORS if spec.dark_colour} | _SEARCHED_ON_DARK


def operators_in_order(operators: Iterable[str]) -> list[str]:
    """Registered operators first, in the order of their registration, then others by name."""
    present = set(operators)
    return [*(name for name in OPERATORS.names() if name in present), *sorted(present - set(OPERATORS.names()))]


def operator_colour(operator: str) -> str:
    return OPERATORS.get(operator).colour if operator in OPERATORS else OTHER_COLOUR


def operator_hatch(operator: str) -> str:
    return OPERATORS.get(operator).hatch if operator in OPERATORS else OTHER_HATCH


@contextmanager
def drawn_in(style: Style) -> Iterator[None]:
    """Drawing and saving under ``style``, whatever the user's matplotlib settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in style.rc().items():
            mpl.rcParams[name] = value  # type: ignore[index]
        yield


def new_figure(width: float, height: float, arranged: bool = True) -> Figure:
    """An empty figure in inches; ``arranged`` places axes so that no label is cut or covered."""
    figure = Figure(figsize=(width, height), layout="constrained" if arranged else None)
    FigureCanvasAgg(figure)
    return figure


def panels(style: Style, count: int, height: float = 2.3, columns: int = 3, **axes: Any) -> tuple[Figure, list[Any]]:
    """A figure with ``count`` panels in a grid, as wide as a column for one panel and as a page for more; four make a
    square. On a page that holds one column, all stand in it.
    """
    across = 1 if style.page == style.column else 2 if count == 4 else min(count, columns)
    rows = -(-count // across)
    scale = style.column / 3.3
    width = style.column if across == 1 else style.page * (0.8 if across == 2 else 1)
    figure = new_figure(width, height * scale * rows + 0.35 * scale)
    grid = figure.subplots(rows, across, squeeze=False, **axes).ravel()
    for spare in grid[count:]:
        spare.set_visible(False)
    return figure, list(grid[:count])


def label_outer(axes: Sequence[Any], x: str, y: str) -> None:
    """One x label in the middle of the lowest row, or one for each of its axes where it has no middle, and one y label
    for each row.

    Labels of axes, unlike those of figures, keep clear of a legend outside.
    """
    columns = axes[0].get_gridspec().ncols
    lowest = axes[(len(axes) - 1) // columns * columns :]
    for axis in lowest if len(lowest) % 2 == 0 else [lowest[len(lowest) // 2]]:
        axis.set_xlabel(x)
    for axis in axes[::columns]:
        axis.set_ylabel(y)


def same_limits(axes: Sequence[Any]) -> None:
    """Panels that are compared cover the same range."""
    for limits, set_limits in (("get_xlim", "set_xlim"), ("get_ylim", "set_ylim")):
        lows, highs = zip(*(getattr(axis, limits)() for axis in axes), strict=True)
        for axis in axes:
            getattr(axis, set_limits)(min(lows), max(highs))


def shared_legend(
    figure: Figure, handles: Sequence[Any], labels: Sequence[str], style: Style, columns: int = 6
) -> None:
    """One legend under all panels, wrapped so that it stays inside the figure."""
    longest = min(max(drawn_width(figure, label, style.small) for label in labels), ROOM * figure.bbox.width)
    fitting = int(figure.bbox.width / (longest + 42 * style.scale * figure.dpi / 72))
    rows = -(-len(labels) // max(1, min(columns, fitting, len(labels))))
    across = -(-len(labels) // rows)
    figure.set_figheight(figure.get_figheight() + (rows - 1) * 0.16 * style.scale)  # not at the cost of the panels
    figure.legend(handles, labels, loc="outside lower center", ncols=across)
