"""Numbers as text, one definition each: durations, numbers with a decimal prefix, memory, and counts of things.

The exact form of a budget, which names folders, is ``records.layout.format_budget``.
"""

_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_DAY = 86400


def duration(seconds: float, days: bool = False) -> str:
    """``4.2 s``, ``3 min 20 s`` or ``2 h 05 min``; with ``days``, two days and more as ``2.5 days``."""
    if days and seconds >= 2 * _DAY:
        return f"{seconds / _DAY:.1f} days"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def short_duration(seconds: float) -> str:
    """Three digits of the nearest unit: ``90 s``, ``1.75 min``, ``2.5 h``; for tables."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 6000 else f"{seconds / 3600:.3g} h"


def prefixed(number: float, digits: int = 3, separator: str = "") -> str:
    """``number`` rounded to ``digits`` significant digits with a decimal prefix: 1813000000 is ``1.81G``.

    ``separator`` stands before the prefix, also before an empty one, so that a unit may follow: ``820 MB``, ``12 B``.
    """
    for size, prefix in _PREFIXES:
        if abs(number) >= size:
            return f"{_rounded(number / size, digits)}{separator}{prefix}"
    return f"{_rounded(number, digits)}{separator}"


def gibibytes(size: float, decimals: int = 2) -> str:
    """A number of bytes as ``1.50 GiB``."""
    return f"{size / 2**30:.{decimals}f} GiB"


def counted(number: int, noun: str) -> str:
    """``1 cell``, ``2 cells``; for nouns whose plural is formed with an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _rounded(number: float, digits: int) -> str:
    return f"{float(f'{number:.{digits}g}'):g}"
