"""Numbers in images that are not 8-bit, 16-bit integers or floats, and the range of them that becomes 0 to 255.

A set has one range, decided from its train part and applied to every image, so that equal numbers look equal in all of
them. The rule is our choice.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

INTEGER_BITS = (1, 8, 10, 12, 14, 16)  # of usual cameras and scanners
_AT_ONCE = (
    2**20
)  # numbers that are scaled in float64 at a time, so that a large image does not need eight times its memory


class ValueRange(NamedTuple):
    """The number that becomes 0, black, and the one that becomes 255, white; what lies beyond is clipped."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g},{self.high:g}"


class Extent(NamedTuple):
    """The smallest and largest of some finite numbers, and whether all are of an integer type."""

    low: float
    high: float
    integers: bool


def extent_of(arrays: Iterable[np.ndarray]) -> Extent | None:
    """The extent over all arrays; None where they hold no finite number."""
    low, high, integers = np.inf, -np.inf, True
    for values in arrays:
        integers &= values.dtype.kind in "biu"
        finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return Extent(low, high, integers) if low <= high else None


def joined(extents: Sequence[Extent]) -> Extent:
    """The extent over all of at least one."""
    lows, highs, integers = zip(*extents, strict=True)
    return Extent(min(lows), max(highs), all(integers))


def decide_range(extent: Extent) -> ValueRange:
    """The range of a set whose train images have this extent.

    Integers from 0 have the smallest usual number of bits that holds them, floats the range 0 to 1, -1 to 1 or 0 to 255
    that does. Any others, such as Hounsfield units, range from their smallest to their largest.
    """
    low, high, integers = extent
    if integers and low >= 0:
        for bits in INTEGER_BITS:
            if high < 2**bits:
                return ValueRange(0, 2**bits - 1)
    if not integers:
        for usual in (ValueRange(0, 1), ValueRange(-1, 1), ValueRange(0, 255)):
            if usual.low <= low and high <= usual.high:
                return usual
    return ValueRange(low, high if high > low else low + 1)


def to_bytes(values: np.ndarray, value_range: ValueRange) -> np.ndarray:
    """uint8 of the shape of ``values``: the range scaled to 0 to 255 and rounded, with NaN as its low end."""
    low, high = value_range
    scaled = np.empty(values.shape, np.uint8)
    into, flat = scaled.reshape(-1), values.reshape(-1)
    for start in range(0, flat.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        known = np.nan_to_num(flat[part].astype(np.float64), nan=low, posinf=high, neginf=low)
        into[part] = np.clip(np.rint((known - low) * (255 / (high - low))), 0, 255)
    return scaled
