"""``synthetic:NAME``: two generated sets that show which operator is able to do what.

- ``texture``: four classes, told apart by the direction of a fine grating that covers the image in patches of unrelated
  phase. What decides fits in a few pixels, anywhere.
- ``match``: two classes. Two bars are far apart, one in the left part and one in the right, at any height, each lying
  or standing; the class is whether they are alike. No sum over neighbourhoods tells that: they must be compared.

Options: ``n`` images (a fifth of them test), ``seed``, ``size`` in pixels.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from trionet_bench.data.sources.arrays import index_of_arrays
from trionet_bench.data.sources.base import Index, Places, Uri
from trionet_bench.data.sources.catalogue import named_sets
from trionet_bench.errors import UsageError, nearest
from trionet_bench.randomness import derived_generator

VERSION = "1"  # raised when a generated image changes
NOISE = 20.0  # standard deviation, of 255
PATCH = 8  # pixels of one phase
MARK = 5  # side of a mark in pixels
LYING = np.zeros((MARK, MARK))
LYING[1:3] = 1
MARKS = np.stack([LYING, LYING.T])  # a bar that lies and one that stands: equally much ink
CLASSES = {"texture": ("0 degrees", "45 degrees", "90 degrees", "135 degrees"), "match": ("different", "same")}


def open_index(uri: Uri, places: Places) -> Index:
    if uri.path not in CLASSES:
        raise UsageError(f'{uri.text}: there is no generated set "{uri.path}"; {nearest(uri.path, list(CLASSES))}')
    uri.check_options("n", "seed", "size")
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
        load=partial(_images, make, labels, seed, size),
        shape=(size, 1),
        content=[VERSION, uri.path, str(seed), str(size)],
    )
    return named_sets()[uri.path].described(index)


Make = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def _images(make: Make, labels: dict[str, np.ndarray], seed: int, size: int, part: str) -> np.ndarray:
    """uint8 (N, S, S, 1)."""
    generator = derived_generator(seed, make.__name__, part, "images")
    clean = make(labels[part], size, generator)
    noisy = clean + generator.normal(0, NOISE, clean.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)[..., None]


def textures(labels: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Gratings of three to five pixels a wave at 0, 45, 90 or 135 degrees, (N, S, S)."""
    count, patches = len(labels), -(-size // PATCH)
    angle = (labels * np.pi / 4)[:, None, None]
    wave = generator.uniform(3, 5, (count, 1, 1))
    phase = generator.uniform(0, 2 * np.pi, (count, patches, patches)).repeat(PATCH, axis=1).repeat(PATCH, axis=2)
    y, x = np.mgrid[0:size, 0:size]
    across = x * np.cos(angle) + y * np.sin(angle)
    return 128 + 60 * np.sin(2 * np.pi * across / wave + phase[:, :size, :size])


def matches(labels: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """A mark in the left part and one in the right part, equal where the label is 1, (N, S, S)."""
    count, margin, band = len(labels), size // 8, size // 4  # a padded crop shifts by an eighth: no mark is lost
    left = generator.integers(len(MARKS), size=count)
    other = (left + generator.integers(1, len(MARKS), size=count)) % len(MARKS)
    right = np.where(labels == 1, left, other)
    images = np.full((count, size, size), 90.0)
    each, steps = np.arange(count)[:, None, None], np.arange(MARK)
    for mark, start in ((left, margin), (right, size - margin - band)):
        top = generator.integers(margin, size - margin - MARK + 1, size=count)
        edge = start + generator.integers(band - MARK + 1, size=count)
        rows, columns = top[:, None] + steps, edge[:, None] + steps  # (N, 5)
        images[each, rows[:, :, None], columns[:, None, :]] += 120 * MARKS[mark]
    return images
