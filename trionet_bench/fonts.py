"""Fonts for the characters of names that the fonts of figures lack.

Figures use the fonts that matplotlib brings along. Characters that these lack (Chinese, Korean, emoji) are taken from
the first installed font, by name, that has them; where there is none they are spelled as ``[U+6C34]``, never drawn as
boxes.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font

_LAST_RESORT = "Last Resort"  # draws boxes


def spelled(text: str, characters: Iterable[str]) -> str:
    """``text`` with every run of these characters spelled by its code points: ``[U+6C34 7530]``."""
    unknown = "".join(map(re.escape, characters))
    if not unknown:
        return text
    return re.sub(f"[{unknown}]+", lambda run: "[U+" + " ".join(f"{ord(c):04X}" for c in run[0]) + "]", text)


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


def uncovered(text: str, families: Sequence[str]) -> list[str]:
    """Characters of the text that the fonts of these families lack."""
    return sorted({character for character in text if ord(character) not in _covered(tuple(families))})


def drawable(text: str, families: Sequence[str]) -> str:
    """``text`` with what the fonts of these families lack spelled."""
    unknown = uncovered(text, families)
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
