"""Sharing rules: which indices of a supernet's weight a child uses.

Every dimension of every weight has an ``Axis`` for its meaning, from which a rule derives indices. There are two rules.
Prefix sharing takes the first channels, whatever they stand for, as slimmable and once-for-all networks do. Multi-head
Sharing (Pi et al. 2021, arXiv 2111.07547: channels are first split into heads and shared only within the same head)
keeps a head-by-dimension grid, so that a child's head n reads only the supernet's head n. The paper gives the rule in
words; the grid is our reading of it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["channel", "head", "dim", "term", "offset", "fixed"]


@dataclass(frozen=True)
class Level:
    """One factor of an axis. ``offset`` levels are shared around their centre, ``fixed`` and ``term`` levels never
    shrink.
    """

    kind: Kind
    size: int


Segment = tuple[Level, ...]


@dataclass(frozen=True)
class Axis:
    """The meaning of one dimension: segments laid end to end, each a row-major product of levels."""

    segments: tuple[Segment, ...]

    @cached_property
    def size(self) -> int:
        """Length of the dimension."""
        return sum(math.prod(level.size for level in segment) for segment in self.segments)

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(level.size for segment in self.segments for level in segment))  # the same in every process

    def __hash__(self) -> int:
        return self._hash  # computed once: each step of a supernet looks up hundreds


# Cached, so that equal axes are one object, which a dictionary compares by identity.


@cache
def channels(count: int) -> Axis:
    """Plain channels, shared from the first."""
    return Axis(((Level("channel", count),),))


@cache
def heads(count: int, size: int) -> Axis:
    """``count`` attention heads of ``size`` dimensions each, head-major."""
    return Axis(((Level("head", count), Level("dim", size)),))


@cache
def dims(size: int) -> Axis:
    """Dimensions of a table that all heads share."""
    return Axis(((Level("dim", size),),))


@cache
def centred(count: int) -> Axis:
    """Offsets around zero: kernel taps, relative positions."""
    return Axis(((Level("offset", count),),))


@cache
def fixed(count: int) -> Axis:
    """A dimension that is the same in every child."""
    return Axis(((Level("fixed", count),),))


@cache
def terms(count: int, axis: Axis) -> Axis:
    """``axis`` repeated for ``count`` terms that never mix."""
    return Axis(tuple((Level("term", count), *segment) for segment in axis.segments))


@cache
def concatenated(*axes: Axis) -> Axis:
    """Several axes laid end to end."""
    return Axis(tuple(segment for axis in axes for segment in axis.segments))


class Sharing(ABC):
    """A rule for which entries of a supernet's weight a child uses."""

    name: str

    @abstractmethod
    def view(self, segment: Segment) -> Segment:
        """The segment whose levels this rule shares one by one."""

    def merge(self, axes: Sequence[Axis]) -> Axis:
        """The smallest axis into which all of ``axes`` fit."""
        columns = zip(*(axis.segments for axis in axes), strict=True)
        return Axis(tuple(self._merge_segments([self.view(segment) for segment in column]) for column in columns))

    def _merge_segments(self, segments: Sequence[Segment]) -> Segment:
        deepest = max(segments, key=len)
        same = [segment for segment in segments if len(segment) == len(deepest)]
        merged = [Level(level.kind, max(s[i].size for s in same)) for i, level in enumerate(deepest)]
        for segment in segments:
            if len(segment) == len(deepest):
                continue
            # Plain channels beside a grid of heads take its entries row by row; it grows until they fit.
            missing = segment[0].size / math.prod(level.size for level in merged)
            if missing > 1:
                merged[-1] = Level(merged[-1].kind, math.ceil(merged[-1].size * missing))
        return tuple(merged)

    def indices(self, child: Axis, full: Axis) -> Tensor:
        """Positions in ``full``, a result of ``merge``, that the child uses, in the child's order; int64 of the
        child's size.
        """
        positions, start = [], 0
        for segment, merged in zip(child.segments, full.segments, strict=True):
            positions.append(self._segment_indices(self.view(segment), merged) + start)
            start += math.prod(level.size for level in merged)
        return torch.cat(positions)

    def _segment_indices(self, child: Segment, merged: Segment) -> Tensor:
        if len(child) != len(merged):
            return torch.arange(child[0].size)
        flat = torch.zeros(1, dtype=torch.long)
        for level, full in zip(child, merged, strict=True):
            if level.kind in ("fixed", "term") and level.size != full.size:
                raise ValueError(
                    f"a {level.kind} level has size {level.size} in a child and {full.size} in the supernet"
                )
            first = (full.size - level.size) // 2 if level.kind == "offset" else 0
            taken = torch.arange(first, first + level.size)
            flat = (flat[:, None] * full.size + taken).flatten()  # (levels so far,) x (taken,) row-major
        return flat


class PrefixSharing(Sharing):
    """The first channels, in flat order; each child splits them into its heads. The ablation arm."""

    name = "prefix"

    def view(self, segment: Segment) -> Segment:
        """Head and dimension become plain channels."""
        flat: list[Level] = []
        for level in segment:
            if level.kind == "dim" and flat and flat[-1].kind == "head":
                flat[-1] = Level("channel", flat[-1].size * level.size)
            else:
                flat.append(level)
        return tuple(flat)


class MultiHeadSharing(Sharing):
    """The first heads, and in each head the first dimensions."""

    name = "multi-head"

    def view(self, segment: Segment) -> Segment:
        """The segment unchanged."""
        return segment


SHARINGS: dict[str, type[Sharing]] = {rule.name: rule for rule in (PrefixSharing, MultiHeadSharing)}
