"""``synthetic:NAME``: two generated sets, each of which needs another kind of operator.

- ``texture``: four classes that differ in the direction of a fine grating. It covers the image in patches of
  independent phase, so that a neighbourhood of a few pixels decides.
- ``match``: two classes. There is one bar in the left part and one in the right, at any height, each horizontal or
  vertical; the class is whether both have the same direction. No sum over neighbourhoods decides that: two distant
  positions must be compared.

Options: ``n`` images, a fifth of them test (5000); ``seed`` (0); ``size``, side in pixels (32).
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from trionet_bench.data.index import Index
from trionet_bench.data.sources.arrays import index_of_arrays
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.catalogue import named_sets
from trionet_bench.errors import UsageError, nearest
from trionet_bench.randomness import derived_generator

VERSION = "1"  # part of the fingerprint: raised when a generated image changes
NOISE = 20.0  # standard deviation, where white is 255
PATCH = 8  # side in pixels of a patch of one phase
BAR = 5  # side in pixels of the square that a bar lies in
HORIZONTAL = np.zeros((BAR, BAR))
HORIZONTAL[1:3] = 1
BARS = np.stack([HORIZONTAL, HORIZONTAL.T])  # (2, BAR, BAR), of equal brightness
CLASSES = {"texture": ("0 degrees", "45 degrees", "90 degrees", "135 degrees"), "match": ("different", "same")}


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a generated set, whose images are generated when first read; UsageError for another name."""
    if uri.path not in CLASSES:
        raise UsageError(f'{uri.text}: there is no generated set "{uri.path}"; {nearest(uri.path, list(CLASSES))}')
    n, seed, size = uri.number("n", 5000, at_least=20), uri.number("seed", 0), uri.number("size", 32, at_least=24)
    counts = {"train": n - n // 5, "test": n // 5}
    classes = CLASSES[uri.path]
    labels = {}
    for part, count in counts.items():  # equally many of each class, in a drawn order
        labels[part] = derived_generator(seed, uri.path, part, "labels").permutation(np.arange(count) % len(classes))
    make = {"texture": textures, "match": matches}[uri.path]
    index = index_of_arrays(
        uri,
        uri.path,
        classes,
        labels,
        load=partial(_generate, make, labels, seed, size),
        shape=(size, 1),
        content=[VERSION, uri.path, str(seed), str(size)],
    )
    return named_sets()[uri.path].described(index)


Generate = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def _generate(make: Generate, labels: dict[str, np.ndarray], seed: int, size: int, part: str) -> np.ndarray:
    """The noisy images of a part, uint8 (N, S, S, 1)."""
    generator = derived_generator(seed, make.__name__, part, "images")
    clean = make(labels[part], size, generator)
    noisy = clean + generator.normal(0, NOISE, clean.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)[..., None]


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
