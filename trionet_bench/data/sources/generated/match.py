"""``match``: there is one bar in the left part and one in the right, at any height, each horizontal or vertical; the
class is whether both have the same direction.

No sum over neighbourhoods decides that: two distant positions must be compared.
"""

import numpy as np

from trionet_bench.data.sources.generated.base import GeneratedSet, KnownPlacement

BAR = 5  # side in pixels of the square that a bar lies in
HORIZONTAL = np.zeros((BAR, BAR))
HORIZONTAL[1:3] = 1
BARS = np.stack([HORIZONTAL, HORIZONTAL.T])  # (2, BAR, BAR), of equal brightness


def matches(labels: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """A bar in the left part and one in the right, of equal direction where the label is 1, float64 (N, S, S)."""
    count, margin, band = len(labels), size // 8, size // 4  # a padded crop shifts by an eighth: no bar is cut
    left = generator.integers(len(BARS), size=count)
    other = (left + generator.integers(1, len(BARS), size=count)) % len(BARS)
    right = np.where(labels == 1, left, other)
    images = np.full((count, size, size), 90.0)
    each, steps = np.arange(count)[:, None, None], np.arange(BAR)
    for bar, start in ((left, margin), (right, size - margin - band)):
        top = generator.integers(margin, size - margin - BAR + 1, size=count)
        edge = start + generator.integers(band - BAR + 1, size=count)
        rows, columns = top[:, None] + steps, edge[:, None] + steps  # (N, BAR)
        images[each, rows[:, :, None], columns[:, None, :]] += 120 * BARS[bar]
    return images


MATCH = GeneratedSet(
    "match",
    ("different", "same"),
    matches,
    known=(
        KnownPlacement(
            "last",
            "axial",
            "the two bars are further apart than any window, and their directions must be compared with one another",
        ),
    ),
)
