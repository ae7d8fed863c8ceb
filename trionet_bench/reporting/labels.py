"""Text in figures: a glyph for every character, and labels that leave room for the drawing.

Figures use the fonts that matplotlib brings along. Characters that these lack (Chinese, Korean, emoji) are taken from
the first installed font, by name, that has them; where there is none they are spelled as ``[U+6C34]``, never drawn as
boxes. Labels that would take more than ``ROOM`` of the figure's width are shortened in their middle; the tables have
the full names.
"""

import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

from trionet_bench.terminal import visible

ROOM = 0.4  # of a panel's width, for one label
TITLE_ROOM = 0.75  # of a panel's width, for its title, which is bold
_GLYPH_WIDTH = 0.5  # of the text size, on average
_LAST_RESORT = "Last Resort"  # draws boxes


def shortened(text: str, most: int) -> str:
    """At most as wide as so many common characters, the middle replaced by an ellipsis."""
    if sum(map(_width, text)) <= most:
        return text
    head, tail = _beginning(text, most // 2), _beginning(text[::-1], most - 1 - most // 2)[::-1]
    return f"{head}\N{HORIZONTAL ELLIPSIS}{tail.lstrip(''.join(filter(unicodedata.combining, tail)))}"


def _beginning(text: str, most: int) -> str:
    """The longest beginning that is at most so wide."""
    widths = accumulate(map(_width, text))
    return text[: sum(width <= most for width in widths)]


def _width(character: str) -> int:
    """How many common characters this one is as wide as: Chinese and emoji take two, a combining accent none."""
    if unicodedata.combining(character):
        return 0
    return 2 if character in "MW@%" or unicodedata.east_asian_width(character) in "WF" else 1


def most_characters(figure: Figure, size: float, panels: int = 1, room: float = ROOM) -> int:
    """How long text of this size in points may be that gets ``room`` of a panel, of which so many are side by side."""
    return max(8, int(room * figure.get_figwidth() / panels * 72 / (_GLYPH_WIDTH * size)))


def spelled(text: str, characters: Iterable[str]) -> str:
    """``text`` with every run of these characters spelled by its code points: ``[U+6C34 7530]``."""
    unknown = "".join(map(re.escape, characters))
    if not unknown:
        return text
    return re.sub(f"[{unknown}]+", lambda run: "[U+" + " ".join(f"{ord(c):04X}" for c in run[0]) + "]", text)


def prepare_labels(figure: Figure) -> None:
    """Shorten the labels of a figure, and give each a font for its characters, in place; before it is first drawn.

    Labels of ticks and legends and titles of panels are shortened as they are, of other texts each word.
    """
    for axes in figure.axes:
        spec = axes.get_subplotspec()
        panels = 1 if spec is None else spec.get_gridspec().ncols
        for axis in (axes.xaxis, axes.yaxis):
            _prepare_ticks(figure, axis, panels)
        size = float(axes.title.get_fontsize())
        for place in ("left", "center", "right"):
            if title := visible(axes.get_title(loc=place)):
                title = _spelled(title, fonts_for(sorted({*title}))[1])
                axes.set_title(shortened(title, most_characters(figure, size, panels, TITLE_ROOM)), loc=place)
    legends = [*figure.legends, *(legend for axes in figure.axes if (legend := axes.get_legend()) is not None)]
    for legend in legends:
        for text in legend.get_texts():
            _prepare(figure, text, in_full=True)
    for artist in figure.findobj(Text):
        assert isinstance(artist, Text)
        _prepare(figure, artist, in_full=False)


def fit_titles(figure: Figure) -> None:
    """Shorten titles that would end outside the figure, in place; once its axes are arranged."""
    for axes in figure.axes:
        for place in ("left", "center", "right"):
            title = axes.get_title(loc=place)
            for most in range(2 * len(title), 2, -1):  # wide characters count twice
                text = axes.set_title(shortened(title, most), loc=place)
                if text.get_window_extent().x1 <= figure.bbox.x1:
                    break


def _prepare_ticks(figure: Figure, axis: Axis, panels: int) -> None:
    """Tick labels are set anew whenever a figure is drawn, so it is the axis that must have the prepared ones."""
    labels = axis.get_ticklabels()
    texts = [label.get_text() for label in labels]
    for label in labels:
        _prepare(figure, label, in_full=True, panels=panels)
    prepared = [label.get_text() for label in labels]
    if prepared != texts:
        axis.set_ticks(axis.get_ticklocs(), prepared)
        for label in axis.get_ticklabels():
            _prepare(figure, label, in_full=True, panels=panels)


def _prepare(figure: Figure, text: Text, in_full: bool, panels: int = 1) -> None:
    content = text.get_text()
    shown, most = visible(content), most_characters(figure, float(text.get_fontsize()), panels)
    families = text.get_fontfamily()
    missing = sorted({character for character in shown if ord(character) not in _covered(tuple(families))})
    found, unknown = fonts_for(missing)
    kept = _spelled(shown, unknown)
    kept = shortened(kept, most) if in_full else " ".join(shortened(word, most) for word in kept.split(" "))
    if found:
        text.set_fontfamily([*families, *found])
    if kept != content:
        text.set_text(kept)


def fonts_for(characters: Sequence[str]) -> tuple[list[str], list[str]]:
    """Families of installed fonts that have these characters, as few as the order of names gives, and the characters
    that none has.
    """
    families, left = [], set(characters)
    for family, covered in _installed():
        here = {character for character in left if ord(character) in covered}
        if here:
            families.append(family)
            left -= here
        if not left:
            break
    return families, sorted(left)


def _spelled(text: str, unknown: Sequence[str]) -> str:
    if unknown:
        _say_spelled()
    return spelled(text, unknown)


@cache
def _say_spelled() -> None:
    """Log, once in a process, that figures do not show every name as it is written."""
    logging.getLogger(__name__).warning(
        "Figures spell characters that no installed font has, as in [U+6C34]. `trionet-bench doctor` says what to do."
    )


@cache
def _covered(families: tuple[str, ...]) -> frozenset[int]:
    """Code points that the fonts of these families have, and the line break."""
    points = {ord("\n")}
    for family in families:
        points |= _points(findfont(FontProperties(family=[family])))
    return frozenset(points)


@cache
def _installed() -> tuple[tuple[str, frozenset[int]], ...]:
    """Families with an upright regular font, by name, and the code points of that font."""
    files: dict[str, str] = {}
    for font in sorted(fontManager.ttflist, key=lambda font: (font.name, font.fname)):
        if font.style == "normal" and font.weight in (400, "normal", "regular") and _LAST_RESORT not in font.name:
            files.setdefault(font.name, font.fname)
    return tuple((family, _points(file)) for family, file in files.items())


@cache
def _points(file: str) -> frozenset[int]:
    return frozenset(FT2Font(file).get_charmap())
