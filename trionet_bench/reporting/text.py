"""Numbers as people read them. A missing number is an en dash, never a zero."""

import math
from typing import Any

from trionet_bench import units

DASH = "\N{EN DASH}"
RHO = "\N{GREEK SMALL LETTER RHO}"
MINUS = "\N{MINUS SIGN}"


def absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or value != value


def compact(count: float | None, digits: int = 3) -> str:
    """4000000 -> 4M, 1813000000 -> 1.81G."""
    return DASH if count is None or math.isnan(count) else units.prefixed(count, digits)


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
    return DASH if seconds is None or math.isnan(seconds) else units.short_duration(seconds)


def memory(size: float | None) -> str:
    return DASH if size is None or math.isnan(size) else units.gibibytes(size)


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
