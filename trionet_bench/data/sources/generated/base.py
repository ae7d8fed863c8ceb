"""What a generated set is, and what is known of the operators that it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Make = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class KnownPlacement:
    """Which operator a search must place where, since a network without it does not learn the set.

    Args:
        stage: the ``first`` or the ``last`` stage of a network.
        operator: name of the operator.
        why: in one sentence.
    """

    stage: Literal["first", "last"]
    operator: str
    why: str


@dataclass(frozen=True)
class GeneratedSet:
    """A set whose images are drawn from a seed.

    Args:
        name: as in ``synthetic:NAME``.
        classes: their names.
        make: from labels (N,), the side S in pixels and a generator to grey values (N, S, S), white 255.
        noise: standard deviation of what is added to every pixel.
        label_noise: whether labels are drawn without regard to the images, so that there is nothing to learn.
        known: what a search must find; empty where any placement is as good.
        version: part of the fingerprint, raised when an image changes.
    """

    name: str
    classes: tuple[str, ...]
    make: Make
    noise: float = 20.0
    label_noise: bool = False
    known: tuple[KnownPlacement, ...] = ()
    version: str = "1"
