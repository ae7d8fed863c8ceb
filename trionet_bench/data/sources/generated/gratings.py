"""``gratings``: a patch of a fine grating in the left part and one in the right, at any height, each in one of four
directions; the class is whether both have the same direction.

The directions are read from a few pixels, by convolution or local attention; only then can the two distant patches be
compared.
"""

import numpy as np

from trionet_bench.data.sources.generated.base import GeneratedSet, KnownPlacement

PATCH = 8  # side in pixels of a patch
DIRECTIONS = 4
WAVELENGTH = 4.0  # pixels


def gratings(labels: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Two patches of gratings, of equal direction where the label is 1, float64 (N, S, S)."""
    count, margin = len(labels), size // 8  # a padded crop shifts by an eighth: no patch is cut
    left = generator.integers(DIRECTIONS, size=count)
    other = (left + generator.integers(1, DIRECTIONS, size=count)) % DIRECTIONS
    right = np.where(labels == 1, left, other)
    images = np.full((count, size, size), 128.0)
    for direction, edge in ((left, margin), (right, size - margin - PATCH)):
        add_patch(images, direction, edge, margin, generator)
    return images


def add_patch(
    images: np.ndarray, direction: np.ndarray, edge: int, margin: int, generator: np.random.Generator
) -> None:
    """Add a patch to each of (N, S, S), of its direction (N,), with its left edge there and at any height between
    the margins.
    """
    count, size = images.shape[:2]
    each, steps = np.arange(count)[:, None, None], np.arange(PATCH)
    top = generator.integers(margin, size - margin - PATCH + 1, size=count)
    angle = (direction * np.pi / DIRECTIONS)[:, None, None]
    phase = generator.uniform(0, 2 * np.pi, (count, 1, 1))
    across = steps[None, None, :] * np.cos(angle) + steps[None, :, None] * np.sin(angle)  # (N, PATCH, PATCH)
    rows = top[:, None] + steps  # (N, PATCH)
    images[each, rows[:, :, None], edge + steps] += 80 * np.sin(2 * np.pi * across / WAVELENGTH + phase)


GRATINGS = GeneratedSet(
    "gratings",
    ("different", "same"),
    gratings,
    known=(KnownPlacement("last", "axial", "the two patches are further apart than any window, and must be compared"),),
)
