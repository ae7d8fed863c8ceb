"""``neighbours``: cells of random brightness, some of which occur twice; the class is whether such twins are within
two cells of each other, or far apart.

A position must compare its content with that of its neighbours, and with theirs only: windows of local attention do
that. A convolution of few channels cannot hold a difference for every offset; attention along rows and columns meets
twins that do not count, and does not meet those that lie aslant.
"""

import numpy as np

from trionet_bench.data.sources.generated.base import GeneratedSet, KnownPlacement

CELL = 2  # side in pixels of a cell
NEAR = ((1, 1), (1, -1), (1, 2), (2, 1), (1, -2), (2, -1), (2, 2), (2, -2))  # offsets of twins, none along an axis
TWINS = 24  # pairs in an image

Cell = tuple[int, int]  # row and column


def neighbours(labels: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Cells of grey values from 0 to 255, with near twins where the label is 1, float64 (N, S, S)."""
    count, side = len(labels), size // CELL
    cells = generator.uniform(0, 255, (count, side, side))
    for image, label in zip(cells, labels, strict=True):
        free = np.ones((side, side), dtype=bool)  # a cell is in one pair at most
        for _ in range(TWINS):
            first, second = _pair(bool(label), free, generator)
            image[second] = image[first]
            free[first] = free[second] = False
    pixels = np.full((count, size, size), 128.0)
    pixels[:, : side * CELL, : side * CELL] = cells.repeat(CELL, axis=1).repeat(CELL, axis=2)
    return pixels


def _pair(near: bool, free: np.ndarray, generator: np.random.Generator) -> tuple[Cell, Cell]:
    """Two free cells at an offset of ``NEAR``, or more than three cells apart."""
    side = len(free)
    while True:
        row, column = generator.integers(side, size=2)
        down, right = NEAR[generator.integers(len(NEAR))] if near else generator.integers(-side, side, size=2)
        other = int(row + down), int(column + right)
        inside = 0 <= other[0] < side and 0 <= other[1] < side
        if inside and free[row, column] and free[other] and (near or max(abs(down), abs(right)) > 3):
            return (int(row), int(column)), other


NEIGHBOURS = GeneratedSet(
    "neighbours",
    ("far", "near"),
    neighbours,
    noise=2.0,
    known=(
        KnownPlacement(
            "first", "local", "a cell must be compared with each of its neighbours and with nothing further away"
        ),
    ),
)
