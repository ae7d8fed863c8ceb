"""Labels of figures that leave room for the drawing: names in them are shortened until the label, as drawn, fits.

Tick labels, legends and free texts are fitted before the axes are arranged, since they take their room from the
drawing; titles and labels of axes after it, since they take the room that is there. Names in labels of one kind keep
apart; the tables have them in full.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations
from math import inf
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FixedLocator
from matplotlib.transforms import Bbox

from trionet_bench.fonts import drawable, fonts_for, uncovered
from trionet_bench.reporting.names import all_names, characters, in_full, label_of, named, names_in, written

ROOM = 0.4  # of a panel's width, for the labels at its left; of the figure's, for a free text
_ROOM_BELOW = 0.3  # of a panel's height, for turned labels below it
_TITLE_ROOM = 0.75  # of a panel's width, while axes are arranged
_INSIDE = 0.98  # of the figure's width, for a legend; the rest is for text that is wider at another resolution
_LEGEND_STEPS = 32
_LEAST = 2  # characters of a name


@dataclass(frozen=True)
class Labels:
    """What labels of a figure say in full: titles of panels, labels of axes, and tick labels that were given."""

    titles: dict[Text, str]
    axes: dict[Text, str]
    ticks: dict[Axis, list[str]]


def prepare_labels(figure: Figure) -> Labels:
    """Give every text of a figure a font for its characters, and fit tick labels, legends and free texts, in place;
    before the figure is first drawn.
    """
    ticks = {axis: _full(axis.get_ticklabels()) for axis in _named_axes(figure)}
    legends = {legend: _full(legend.get_texts()) for legend in _legends(figure)}
    titles = _by_text(text for axes in figure.axes for text in _titles(axes))
    around = _by_text(text for axes in figure.axes for text in (axes.xaxis.label, axes.yaxis.label))
    known = {*titles, *around, *(text for axis in ticks for text in axis.get_ticklabels())}
    known |= {text for legend in legends for text in legend.get_texts()}
    free = {text: text.get_text() for text in figure.findobj(Text) if isinstance(text, Text) and text not in known}
    fit_widths(free, ROOM * figure.bbox.width)
    fit_widths(around, inf)
    for axes in figure.axes:
        widest = _TITLE_ROOM / ROOM * _room_beside(figure, axes.yaxis)[0]
        fit_widths({title: titles[title] for title in _titles(axes)}, widest)
    names = all_names(chain(*ticks.values()))
    for axis, given in ticks.items():
        _fit_ticks(axis, given, names, [_room_beside(figure, axis)] * len(given))
    for legend, given in legends.items():
        _fit_legend(figure, legend, given)
    return Labels(titles, around, ticks)


def fit_labels(figure: Figure, labels: Labels) -> None:
    """Fit titles, labels of axes and tick labels below an axis to their room, in place; once the axes are arranged."""
    names = all_names(chain(*labels.ticks.values()))
    for axis, given in labels.ticks.items():
        if axis is axis.axes.xaxis and _run_together(axis.get_ticklabels()):
            widest, highest = _room_beside(figure, axis)
            rooms = [(min(widest, distance), highest) for distance in _distances(axis.get_ticklabels())]
            _fit_ticks(axis, given, names, rooms)
    names = all_names(labels.titles.values())
    for axes in figure.axes:
        right = _right_end(figure, axes)
        for title in _titles(axes):
            _fit(title, labels.titles[title], names, partial(_ends_before, right))
    names = all_names(labels.axes.values())
    for place, axes_of in enumerate(("xaxis", "yaxis")):
        texts = [text for axes in figure.axes if (text := getattr(axes, axes_of).label).get_text()]
        for text, room in zip(texts, _rooms_along(figure, texts, place), strict=True):
            _fit(text, labels.axes[text], names, partial(_is_inside, (room, inf) if place == 0 else (inf, room)))


def fit_widths(labels: Mapping[Text, str], width: float) -> None:
    """Write each label with its names short enough for its text to be at most so many pixels wide; names keep apart."""
    names = all_names(labels.values())
    for text, label in labels.items():
        _give_fonts(text, label)
        _fit(text, label, names, partial(_is_inside, (width, inf)))


def drawn_width(figure: Figure, name: str, size: float) -> float:
    """How many pixels wide a name is in full, at this size in points."""
    text = Text(fontsize=size)
    text.set_figure(figure)
    fit_widths({text: named(name)}, inf)
    return float(text.get_window_extent().width)


def _by_text(texts: Iterable[Text]) -> dict[Text, str]:
    return {text: _full([text])[0] for text in texts}


def _full(texts: Sequence[Text]) -> list[str]:
    return [label_of(text.get_text()) if text.get_text() else "" for text in texts]


def _fit(text: Text, label: str, names: tuple[str, ...], fits: Callable[[Bbox], bool]) -> None:
    """Write the label with its names in full, else as long as fits: cut to one length, then each grown to its room."""
    lengths = [len(characters(name)) for name in names_in(label)]

    def too_long(most: Sequence[int]) -> bool:
        text.set_text(drawable(written(label, most, names), text.get_fontfamily()))
        return not fits(text.get_window_extent())

    if not too_long(lengths) or max(lengths, default=0) <= _LEAST:
        return
    equal = [[more] * len(lengths) for more in range(_LEAST + 1, max(lengths))]
    one = _LEAST + bisect_left(equal, True, key=too_long)
    most = [min(one, length) for length in lengths]
    for n, length in enumerate(lengths if len(lengths) > 1 else []):
        before, after = most[:n], most[n + 1 :]
        grown = [[*before, more, *after] for more in range(most[n] + 1, length + 1)]
        most[n] += bisect_left(grown, True, key=too_long)
    too_long(most)


def _ends_before(end: float, box: Bbox) -> bool:
    return bool(box.x1 <= end)


def _is_inside(room: tuple[float, float], box: Bbox) -> bool:
    return bool(box.width <= room[0] and box.height <= room[1])


def _give_fonts(text: Text, label: str) -> None:
    """Let the text use installed fonts for characters that its own lack."""
    families = text.get_fontfamily()
    found, _ = fonts_for(uncovered(in_full(label), families))
    if found:
        text.set_fontfamily([*families, *found])


def _fit_ticks(axis: Axis, given: Sequence[str], names: tuple[str, ...], rooms: Sequence[tuple[float, float]]) -> None:
    """Tick labels are set anew whenever a figure is drawn, so it is the axis that must have the fitted ones."""
    texts = axis.get_ticklabels()
    for text, label, room in zip(texts, given, rooms, strict=True):
        _give_fonts(text, label)
        _fit(text, label, names, partial(_is_inside, room))
    fitted = [text.get_text() for text in texts]
    if fitted != [text.get_text() for text in axis.get_ticklabels()]:
        axis.set_major_formatter(FixedFormatter(fitted))


def _fit_legend(figure: Figure, legend: Legend, given: Sequence[str]) -> None:
    """Entries get the same room, as much as keeps the legend inside the figure."""
    labels = dict(zip(legend.get_texts(), given, strict=True))

    def too_wide(step: int) -> bool:
        fit_widths(labels, figure.bbox.width * step / _LEGEND_STEPS)
        return bool(legend.get_window_extent().width > _INSIDE * figure.bbox.width)

    if too_wide(_LEGEND_STEPS):
        too_wide(max(1, bisect_left(range(1, _LEGEND_STEPS), True, key=too_wide)))


def _named_axes(figure: Figure) -> Iterator[Axis]:
    """Those whose ticks were given, which may have names; unlike numbers that an axis chooses."""
    for axes in figure.axes:
        yield from (axis for axis in (axes.xaxis, axes.yaxis) if isinstance(axis.get_major_locator(), FixedLocator))


def _legends(figure: Figure) -> list[Legend]:
    return [*figure.legends, *(legend for axes in figure.axes if (legend := axes.get_legend()) is not None)]


def _titles(axes: Axes) -> list[Text]:
    places: tuple[Literal["left", "center", "right"], ...] = ("left", "center", "right")
    return [axes.set_title(axes.get_title(loc=place), loc=place) for place in places]


def _room_beside(figure: Figure, axis: Axis) -> tuple[float, float]:
    """Most width and height of a tick label, by the grid that the panel is in."""
    spec = axis.axes.get_subplotspec()
    grid = None if spec is None else spec.get_gridspec()
    rows, columns = (grid.nrows, grid.ncols) if grid else (1, 1)
    height = _ROOM_BELOW * figure.bbox.height / rows if axis is axis.axes.xaxis else inf
    return ROOM * figure.bbox.width / columns, height


def _run_together(texts: Sequence[Text]) -> bool:
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    return any(left.overlaps(right) for left, right in combinations(boxes, 2))


def _distances(texts: Sequence[Text]) -> list[float]:
    """From the middle of each text to that of the nearest other one, in pixels across."""
    middles = [(box.x0 + box.x1) / 2 for box in (text.get_window_extent() for text in texts)]
    return [min(abs(one - other) for m, other in enumerate(middles) if m != n) for n, one in enumerate(middles)]


def _right_end(figure: Figure, axes: Axes) -> float:
    """Where a title must end: before the next panel of its row, or at the end of the figure."""
    here = axes.get_window_extent()
    others = [other.get_window_extent() for other in figure.axes if other.get_visible()]
    gap = 1.5 * _em(axes.title)
    starts = [box.x0 - gap for box in others if box.x0 > here.x1 and box.y0 < here.y1 and here.y0 < box.y1]
    return float(min([*starts, figure.bbox.x1 - gap / 3]))


def _rooms_along(figure: Figure, texts: Sequence[Text], place: int) -> list[float]:
    """How long labels of axes may be to end inside the figure and before the next; along axes across, 0, or up, 1."""
    middles = [text.get_window_extent().get_points().mean(axis=0) for text in texts]
    first, last = figure.bbox.get_points()[:, place]
    rooms = []
    for text, middle in zip(texts, middles, strict=True):
        apart = [abs(other - middle) for other in middles]
        beside = [float(d[place]) for d in apart if d[1 - place] < _em(text) < d[place]]
        edges = [2 * float(middle[place] - first), 2 * float(last - middle[place])]
        rooms.append(min([*edges, *beside]) - _em(text))
    return rooms


def _em(text: Text) -> float:
    """The size of a text in pixels."""
    figure = text.get_figure(root=True)
    assert figure is not None
    return float(text.get_fontsize()) * figure.dpi / 72
