"""Numbers as people read them. A missing number is an en dash, never a zero."""

import math
from typing import Any

DASH = "\N{EN DASH}"
RHO = "\N{GREEK SMALL LETTER RHO}"
MINUS = "\N{MINUS SIGN}"
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or value != value


def compact(count: float | None, digits: int = 3) -> str:
    """4000000 -> 4M, 1813000000 -> 1.81G."""
    if absent(count):
        return DASH
    assert count is not None
    for size, unit in _UNITS:
        if abs(count) >= size:
            return f"{float(f'{count / size:.{digits}g}'):g}{unit}"
    return f"{float(f'{count:.{digits}g}'):g}"


def percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction in percent, without the sign."""
    return DASH if absent(fraction) else f"{100 * fraction:.{digits}f}"  # type: ignore[operator]


def points(fraction: float | None, digits: int = 1) -> str:
    """A signed difference in percentage points."""
    if absent(fraction):
        return DASH
    text = f"{100 * fraction:+.{digits}f}"  # type: ignore[operator]
    return text.replace("-", MINUS) if float(text) else text.replace("-", "").replace("+", "")


def spread(mean: float | None, sd: float | None, digits: int = 1) -> str:
    """Mean and standard deviation in percent."""
    if absent(mean) or absent(sd):
        return percent(mean, digits)
    return f"{percent(mean, digits)} ± {percent(sd, digits)}"


def interval(low: float | None, high: float | None, digits: int = 1, signed: bool = False) -> str:
    """Bounds in percent; those of an accuracy, which are not ``signed``, are cut at 0 and 100."""
    if absent(low) or absent(high):
        return DASH
    if signed:
        return f"[{points(low, digits)}, {points(high, digits)}]"
    return f"[{percent(max(low, 0), digits)}, {percent(min(high, 1), digits)}]"  # type: ignore[type-var]


def p_value(p: float | None) -> str:
    if absent(p):
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}"  # type: ignore[operator]


def duration(seconds: float | None) -> str:
    """90 -> 1.5 min."""
    if absent(seconds):
        return DASH
    assert seconds is not None
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 6000 else f"{seconds / 3600:.3g} h"


def memory(size: float | None) -> str:
    return DASH if absent(size) else f"{size / 2**30:.2f} GiB"  # type: ignore[operator]


def sentence(title: str) -> str:
    """A title as the head of a caption."""
    return title if title.endswith("?") else f"{title}."


def spoken(metric: str) -> str:
    """test_top1 -> test top-1, finetuned_test_top1 -> fine-tuned test top-1."""
    words = metric.replace("top1", "top-1").replace("top5", "top-5").replace("finetuned", "fine-tuned")
    return words.replace("val_", "validation_").replace("_", " ")


def listed(words: "list[str] | tuple[str, ...]") -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """1 seed, 3 seeds."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
