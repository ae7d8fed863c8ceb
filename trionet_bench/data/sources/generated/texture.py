"""``texture``: four classes that differ in the direction of a fine grating.

It covers the image in patches of independent phase, so that a neighbourhood of a few pixels decides.
"""

import numpy as np

from trionet_bench.data.sources.generated.base import GeneratedSet

PATCH = 8  # side in pixels of a patch of one phase
ANGLES = 4


def textures(labels: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Gratings with a wavelength of three to five pixels at ``labels`` times 45 degrees, float64 (N, S, S)."""
    count, patches = len(labels), -(-size // PATCH)
    angle = (labels * np.pi / 4)[:, None, None]
    wavelength = generator.uniform(3, 5, (count, 1, 1))
    phase = generator.uniform(0, 2 * np.pi, (count, patches, patches)).repeat(PATCH, axis=1).repeat(PATCH, axis=2)
    y, x = np.mgrid[0:size, 0:size]
    across = x * np.cos(angle) + y * np.sin(angle)
    gratings: np.ndarray = 128 + 60 * np.sin(2 * np.pi * across / wavelength + phase[:, :size, :size])
    return gratings


TEXTURE = GeneratedSet("texture", ("0 degrees", "45 degrees", "90 degrees", "135 degrees"), textures)
