"""Names in labels, and their short forms, which keep both ends of a name and what tells it from others.

A label is text of fixed words and of names; a name in it is marked by ``named``. Text without a mark is one name.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, takewhile, zip_longest

from trionet_bench.terminal import visible

_OPEN, _CLOSE = "\ufdd0", "\ufdd1"  # noncharacters, for use inside a program: no text holds them
_NAMED = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_ESCAPE_OR_ANY = re.compile(r"\\[nt]|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\[U\+[0-9A-F]{4,6}\]|.", re.DOTALL)
_JOINER = "\N{ZERO WIDTH JOINER}"
_LEFT_TO_RIGHT = "\N{LEFT-TO-RIGHT MARK}"
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def named(name: object) -> str:
    """``name`` as a part of a label that may be shortened; controls and line breaks are shown by their escapes."""
    line = visible(str(name)).replace("\n", r"\n").replace("\t", r"\t")
    return f"{_OPEN}{line}{_CLOSE}"


def label_of(text: str) -> str:
    """``text`` with its names marked."""
    return text if _NAMED.search(text) else named(text)


def names_in(label: str) -> list[str]:
    return _NAMED.findall(label)


def all_names(labels: Iterable[str]) -> tuple[str, ...]:
    """The names in these labels, each once, in order."""
    return tuple(dict.fromkeys(name for label in labels for name in names_in(label)))


def in_full(label: str) -> str:
    names = names_in(label)
    return written(label, [len(name) for name in names], tuple(dict.fromkeys(names)))


def written(label: str, most: Sequence[int], names: tuple[str, ...]) -> str:
    """The label with each of its names as ``short_forms(names, most)`` has it; ``most`` is given for each of them."""
    forms = [short_forms(names, longest)[name] for name, longest in zip(names_in(label), most, strict=True)]
    alone = _NAMED.fullmatch(label) is not None
    fixed = _NAMED.split(label)[::2]  # between the names
    shown = forms if alone else map(_in_place, forms)
    return "".join(chain.from_iterable(zip_longest(fixed, shown, fillvalue="")))


def _in_place(name: str) -> str:
    """``name`` with marks that keep what is written from right to left from turning the words around it."""
    turned = any(unicodedata.bidirectional(character) in ("R", "AL") for character in name)
    return f"{_LEFT_TO_RIGHT}{name}{_LEFT_TO_RIGHT}" if turned else name


@lru_cache(maxsize=512)
def short_forms(names: tuple[str, ...], most: int) -> dict[str, str]:
    """A form of every name with at most so many characters; forms of different names differ.

    Where both ends of names are equal, a part from their middle that differs is shown too. Names that this does not
    tell apart are numbered, beyond ``most``.
    """
    forms = {name: shortened(name, most) for name in names}
    for group in _alike(forms):
        forms |= {name: shortened(name, most, _first_difference(name, group)) for name in group}
    for group in _alike(forms):
        forms |= {name: f"{forms[name]} ({number})" for number, name in enumerate(group, start=1)}
    return forms


def _alike(forms: dict[str, str]) -> list[list[str]]:
    """Names that have one form."""
    groups: dict[str, list[str]] = {}
    for name, form in forms.items():
        groups.setdefault(form, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _first_difference(name: str, group: Iterable[str]) -> int:
    """The first character, counted as ``characters`` does, that the name shares with no other of the group."""
    mine = characters(name)
    others = [characters(other) for other in group if other != name]
    return max(
        sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(mine, other, strict=False))) for other in others
    )


def shortened(text: str, most: int, at: int | None = None) -> str:
    """At most so many characters, ellipses included: both ends of the text, and the character at place ``at``."""
    parts = characters(text)
    if len(parts) <= most:
        return text
    head, tail = most // 2, most - 1 - most // 2
    if at is None or most < 3 or at < head or at >= len(parts) - tail:
        return "".join([*parts[:head], _ELLIPSIS, *parts[len(parts) - tail :]])
    left = most - 2  # two ellipses
    middle = (left + 2) // 3
    tail = (left - middle) // 2
    head = left - middle - tail
    start = max(head, min(at - (middle - 1) // 2, len(parts) - tail - middle))
    before = [_ELLIPSIS] if start > head else []
    after = [_ELLIPSIS] if start + middle < len(parts) - tail else []
    return "".join([*parts[:head], *before, *parts[start : start + middle], *after, *parts[len(parts) - tail :]])


def characters(text: str) -> list[str]:
    """The parts of a text that are never cut: characters with their accents, joined emoji, escapes."""
    parts: list[str] = []
    for part in _ESCAPE_OR_ANY.findall(text):
        if parts and (_continues(part) or parts[-1].endswith(_JOINER)):
            parts[-1] += part
        else:
            parts.append(part)
    return parts


def _continues(part: str) -> bool:
    """Whether this is drawn on the character before it: an accent, a joiner, the tone of an emoji's skin."""
    return (
        part == _JOINER or unicodedata.category(part[0]) in ("Mn", "Mc", "Me") or "\U0001f3fb" <= part <= "\U0001f3ff"
    )
