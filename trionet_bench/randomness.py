"""Random generators derived from a seed and the name of their use: no draw depends on earlier draws elsewhere."""

import zlib

import numpy as np


def derived_seed(seed: int, *path: str | int) -> int:
    """A 63-bit integer, for libraries that take a seed; a function of ``seed`` and ``path`` alone."""
    return int(derived_generator(seed, *path).integers(2**63))


def derived_generator(seed: int, *path: str | int) -> np.random.Generator:
    """The generator of one use, for example ``derived_generator(seed, "augment", epoch, step)``.

    A function of ``seed`` and ``path`` alone; text in ``path`` enters by its CRC-32.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in path]
    return np.random.default_rng((seed, *words))
