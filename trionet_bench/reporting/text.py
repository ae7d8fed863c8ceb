"""Numbers as people read them. A missing number is an en dash, never a zero."""

import math
from collections.abc import Iterable
from typing import Any

from trionet_bench import units
from trionet_bench.terminal import visible

DASH = "\N{EN DASH}"
RHO = "\N{GREEK SMALL LETTER RHO}"
MINUS = "\N{MINUS SIGN}"
DOUBTFUL = "\N{DOUBLE DAGGER}"  # behind a number from a record that does not verify


def prose(text: object) -> str:
    """Text that may hold names of strangers, as a paragraph of Markdown: no markup of pages, link, image or formula."""
    special = {"<": "&lt;", "](": "]\\(", "$": "\\$", "\r": " ", "\n": " "}
    plain = str(text)
    for sign, neutral in special.items():
        plain = plain.replace(sign, neutral)
    return visible(plain)


def code(text: object) -> str:
    """The same between backticks."""
    return f"`{visible(' '.join(str(text).replace('`', chr(39)).split()))}`"


def absent(value: Any) -> bool:
    """Whether a value is None or not a number."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or value != value


def compact(count: float | None, digits: int = 3) -> str:
    """4000000 -> 4M, 1813000000 -> 1.81G."""
    return DASH if count is None or math.isnan(count) else units.prefixed(count, digits)


def plain(number: float | None, digits: int) -> str:
    """A number with a minus where it is negative; one that rounds to zero has none."""
    if absent(number):
        return DASH
    text = f"{number:.{digits}f}"
    return text.replace("-", MINUS if float(text) else "")


def percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction in percent, without the sign."""
    return DASH if absent(fraction) else plain(100 * fraction, digits)  # type: ignore[operator]


def points(fraction: float | None, digits: int = 1) -> str:
    """A signed difference in percentage points."""
    if absent(fraction):
        return DASH
    return signed(100 * fraction, digits)  # type: ignore[operator]


def signed(number: float, digits: int) -> str:
    """With + or minus; a number that rounds to zero has no sign."""
    text = plain(number, digits)
    return f"+{text}" if number > 0 and float(text) else text


def interval(low: float | None, high: float | None) -> str:
    """Bounds of a share in percent, cut at 0 and 100."""
    if absent(low) or absent(high):
        return DASH
    return f"[{percent(max(low, 0))}, {percent(min(high, 1))}]"  # type: ignore[type-var]


def interval_words(kinds: Iterable[str]) -> str:
    """What the intervals of ``analysis.summary.summarise`` are over, as the end of a caption's "means over 3 seeds"."""
    known = {
        "crossed": "95 % intervals over seeds and test images",
        "t": "95 % t-intervals over seeds",
        "test-set": "95 % intervals over test images",
    }
    here = set(kinds)
    words = [text for kind, text in known.items() if kind in here]
    if len(words) > 1 and "test-set" in here:
        words[-1] = "of single seeds over test images"
    return f" with {listed(words)}" if words else ""


def p_value(p: float | None) -> str:
    """Three decimals, or "< 0.001"."""
    if absent(p):
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}"  # type: ignore[operator]


def tau_text(tau: float | None) -> str:
    """A rank correlation, or a difference of two."""
    return plain(tau, 2)


def duration(seconds: float | None) -> str:
    """90 -> 1.5 min."""
    return DASH if seconds is None or math.isnan(seconds) else units.short_duration(seconds)


def memory(size: float | None) -> str:
    """Bytes as "1.50 GiB"."""
    return DASH if size is None or math.isnan(size) else units.gibibytes(size)


def sentence(title: str) -> str:
    """A title as the head of a caption."""
    return title if title.endswith("?") else f"{title}."


def tau_interval(low: float | None, high: float | None) -> str:
    """Its bounds."""
    return DASH if absent(low) or absent(high) else f"[{tau_text(low)}, {tau_text(high)}]"


def option_value(value: Any) -> str:
    """The value of an option: yes, no, a dash for none, the parts of a list."""
    if isinstance(value, list | tuple):
        return ", ".join(map(option_value, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else DASH if value is None else str(value)


def listed(words: "list[str] | tuple[str, ...]") -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


def first_of(words: "list[str]", most: int) -> str:
    """The first few, and how many more there are."""
    others = len(words) - most
    return ", ".join(words[:most]) + (f" and {others} more" if others > 0 else "")
