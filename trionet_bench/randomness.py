"""Random numbers derived from a seed and the name of their use, so that no draw depends on what was drawn before it."""

import zlib

import numpy as np


def derived_seed(seed: int, *path: str | int) -> int:
    """A 63-bit integer that depends on ``seed`` and on every part of ``path``, and on nothing else."""
    return int(derived_generator(seed, *path).integers(2**63))


def derived_generator(seed: int, *path: str | int) -> np.random.Generator:
    """A generator for one use, for example ``derived_generator(seed, "augment", epoch, step)``."""
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in path]
    return np.random.default_rng((seed, *words))
