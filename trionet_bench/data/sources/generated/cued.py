"""``cued``: a patch of a fine grating in the left part and one in the right, at any height, each in one of four
directions, and a bar between them; the class is the direction of the left patch where the bar is vertical, of the right
patch where it is horizontal.

Without the bar one of the two directions is right in five of eight images. More takes comparing distant positions, and
networks do so in part: how accurate they are depends on their operators by degrees, not all or nothing.
"""

import numpy as np

from trionet_bench.data.sources.generated.base import GeneratedSet
from trionet_bench.data.sources.generated.gratings import DIRECTIONS, PATCH, add_patch
from trionet_bench.data.sources.generated.match import BAR, BARS

BRIGHT = 230.0  # grey value of the bar


def cued(labels: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Two patches of gratings and a bar that says which of them has the direction of the label, float64 (N, S, S)."""
    count, margin = len(labels), size // 8  # a padded crop shifts by an eighth: nothing is cut
    bar = generator.integers(len(BARS), size=count)
    horizontal = bar == 0
    other = generator.integers(DIRECTIONS, size=count)
    images = np.full((count, size, size), 128.0)
    add_patch(images, np.where(horizontal, other, labels), margin, margin, generator)
    add_patch(images, np.where(horizontal, labels, other), size - margin - PATCH, margin, generator)
    each, steps, edge = np.arange(count)[:, None, None], np.arange(BAR), (size - BAR) // 2
    top = generator.integers(margin, size - margin - BAR + 1, size=count)
    rows = top[:, None] + steps  # (N, BAR)
    at = each, rows[:, :, None], edge + steps
    images[at] = np.where(BARS[bar] > 0, BRIGHT, images[at])  # the bar covers what is below it
    return images


CUED = GeneratedSet("cued", ("0 degrees", "45 degrees", "90 degrees", "135 degrees"), cued)
