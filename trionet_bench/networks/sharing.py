"""Sharing rules: which indices of a supernet's weight a child uses.

Every dimension of every weight has an ``Axis`` for its meaning, from which a rule derives indices. Multi-head Sharing
(Pi et al. 2021, arXiv 2111.07547: channels are first split into heads and shared only within the same head) is given by
the paper in words; what follows is our reading of it.

A store has its channels in a grid of (dimension, half, head), the head fastest. ``half`` is the part of a head's
dimensions that meets row positions, or column positions, in local attention; an axis without halves takes both in turn.
Plain channels take the grid's entries in order. So a convolution and an attention of equally many channels use the same
columns of a 1x1 convolution that they share, and a smaller child uses the first of them.

The rules differ in where a child puts dimension i of a half of its head n:

- ``multi-head``: heads of a child that has fewer than the store are unions of neighbouring heads of the store, and its
  dimensions are theirs in turn. A channel has the same head, half and dimension in every child, and children of any
  number of heads use the same entries.
- ``first-heads``: a child of fewer heads uses the first heads of the store. It is the rule where the number of heads
  grows with the channels, as in GLiT. Where it does not, it is an ablation arm: fewer heads are larger, and no child
  uses the later dimensions of the later heads.
- ``prefix``: the first channels of each half, whatever their head, as slimmable and once-for-all networks do. An
  ablation arm that differs from ``multi-head`` in heads alone.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["channel", "head", "half", "dim", "term", "offset", "colour", "place", "fixed"]
_NEVER_SHRINKS: tuple[Kind, ...] = ("term", "colour", "place", "fixed")
HALVES = 2


@dataclass(frozen=True)
class Level:
    """One factor of an axis.

    ``offset`` levels are shared around their centre; ``half`` levels and those of ``_NEVER_SHRINKS`` are the same in
    every child.

    Args:
        kind: what the factor counts.
        size: how many.
        common_to: for dimensions that several heads have in common, such as those of a position table: how many heads.
    """

    kind: Kind
    size: int
    common_to: int | None = None


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
def halved_heads(count: int, size: int) -> Axis:
    """``count`` attention heads of ``size`` dimensions each, the first half of which meets row positions, the second
    column positions. ValueError where ``size`` is odd.
    """
    if size % HALVES:
        raise ValueError(f"a head of {size} dimensions has no equal halves for rows and columns")
    return Axis(((Level("head", count), Level("half", HALVES), Level("dim", size // HALVES)),))


@cache
def dims(size: int, count: int) -> Axis:
    """Dimensions of a table that ``count`` heads have in common."""
    return Axis(((Level("dim", size, common_to=count),),))


@cache
def one_per_head(count: int) -> Axis:
    """One entry for each head."""
    return Axis(((Level("head", count),),))


@cache
def centred(count: int) -> Axis:
    """Offsets around zero: kernel taps, relative positions."""
    return Axis(((Level("offset", count),),))


@cache
def fixed(count: int) -> Axis:
    """A dimension that is the same in every child."""
    return Axis(((Level("fixed", count),),))


@cache
def colours(count: int, each: int = 1) -> Axis:
    """The channels of an image, each with so many numbers."""
    return Axis(((Level("colour", count), Level("fixed", each)),))


@cache
def places(side: int) -> Axis:
    """A class token, and the places of a square grid."""
    return Axis(((Level("place", side**2 + 1),),))


@cache
def terms(count: int, axis: Axis) -> Axis:
    """``axis`` repeated for ``count`` terms that never mix."""
    return Axis(tuple((Level("term", count), *segment) for segment in axis.segments))


@cache
def concatenated(*axes: Axis) -> Axis:
    """Several axes laid end to end."""
    return Axis(tuple(segment for axis in axes for segment in axis.segments))


def _level(segment: Segment, kind: Kind) -> Level | None:
    return next((level for level in segment if level.kind == kind), None)


def _size(segment: Segment, kind: Kind) -> int:
    level = _level(segment, kind)
    return 1 if level is None else level.size


def _head_counts(segment: Segment) -> Iterator[int]:
    for level in segment:
        if level.kind == "head":
            yield level.size
        elif level.common_to is not None:
            yield level.common_to


def _largest(segments: Sequence[Sequence[Level]]) -> Segment:
    """The largest size of every level, of segments with equal kinds."""
    return tuple(max(levels, key=lambda level: level.size) for levels in zip(*segments, strict=True))


class Sharing(ABC):
    """A rule for which entries of a supernet's weight a child uses."""

    name: str

    @abstractmethod
    def grid_heads(self, counts: Sequence[int]) -> int:
        """Heads in the grid of a store for children of these numbers of heads."""

    @abstractmethod
    def shares(self, count: int, most: int) -> int:
        """How many of a grid's ``most`` heads are one head of a child that has ``count``."""

    @abstractmethod
    def place(self, heads: int, size: int, most: int) -> Tensor:
        """Where a child of ``heads`` heads, with ``size`` dimensions each in one half, puts them in a grid (dimension,
        head) with ``most`` heads: positions in the flat grid, int64 (heads, size).
        """

    def merge(self, axes: Sequence[Axis]) -> Axis:
        """The smallest axis into which all of ``axes`` fit."""
        columns = zip(*(axis.segments for axis in axes), strict=True)
        return Axis(tuple(map(self._merge_segments, columns)))

    def indices(self, child: Axis, full: Axis) -> Tensor:
        """Positions in ``full``, a result of ``merge``, that the child uses, in the child's order; int64 of the
        child's size. ValueError where they differ in a level that never shrinks.
        """
        positions, start = [], 0
        for segment, merged in zip(child.segments, full.segments, strict=True):
            positions.append(self._segment_indices(segment, merged) + start)
            start += math.prod(level.size for level in merged)
        return torch.cat(positions)

    def _merge_segments(self, segments: Sequence[Segment]) -> Segment:
        counts = sorted({count for segment in segments for count in _head_counts(segment)})
        if not counts:  # no child has heads
            return _largest(segments)
        repeated = _largest([[level for level in segment if level.kind == "term"] for segment in segments])
        most = self.grid_heads(counts)
        common = any(level.common_to for segment in segments for level in segment)
        width = max(self.shares(count, most) for count in counts) if common else most
        halves = max(_size(segment, "half") for segment in segments)
        last = max(int(self._places(segment, most, width).max()) for segment in segments)
        grid = [Level("dim", last // (width * halves) + 1, common_to=most if common else None)]
        grid += [Level("half", halves)] * (halves > 1)
        return (*repeated, *grid, Level("head", width))

    def _segment_indices(self, child: Segment, merged: Segment) -> Tensor:
        flat = torch.zeros(1, dtype=torch.long)
        grid = _level(merged, "dim")
        if grid is None:
            levels = [*zip(child, merged, strict=True)]
        else:
            levels = [*zip(child, merged, strict=False)][: sum(level.kind == "term" for level in merged)]
        for level, full in levels:
            if level.kind in _NEVER_SHRINKS and level.size != full.size:
                raise ValueError(
                    f"a {level.kind} level has size {level.size} in a child and {full.size} in the supernet"
                )
            first = (full.size - level.size) // 2 if level.kind == "offset" else 0
            taken = torch.arange(first, first + level.size)
            flat = (flat[:, None] * full.size + taken).flatten()  # (levels so far,) x (taken,) row-major
        if grid is None:
            return flat
        width = _size(merged, "head")
        places = self._places(child, grid.common_to or width, width)
        return (flat[:, None] * (grid.size * _size(merged, "half") * width) + places).flatten()

    def _places(self, segment: Segment, most: int, width: int) -> Tensor:
        """Positions of a child's channels in a flat grid (dimension, half, head) whose rows have ``width`` heads."""
        if (plain := _level(segment, "channel")) is not None:
            return torch.arange(plain.size)
        dimensions = _level(segment, "dim")
        if dimensions is not None and dimensions.common_to is not None:
            share = self.shares(dimensions.common_to, most)
            number = torch.arange(dimensions.size)
            return number // share * width + number % share
        places = self.place(_size(segment, "head"), _size(segment, "dim"), most)  # (n, d)
        if _level(segment, "half") is None:
            return places.flatten()
        row, head = places[:, None] // width, places[:, None] % width  # (n, 1, d)
        return ((row * HALVES + torch.arange(HALVES)[:, None]) * width + head).flatten()


class MultiHeadSharing(Sharing):
    """Heads of a child with fewer heads are unions of neighbouring heads of the store."""

    name = "multi-head"

    def grid_heads(self, counts: Sequence[int]) -> int:
        """The least common multiple."""
        return math.lcm(*counts)

    def shares(self, count: int, most: int) -> int:
        """The heads of the store that are united in one of the child."""
        return most // count

    def place(self, heads: int, size: int, most: int) -> Tensor:
        """Dimensions are dealt to the united heads in turn, so that each has as many, whatever the size."""
        united = self.shares(heads, most)
        number = torch.arange(size)
        head = torch.arange(heads)[:, None] * united + number % united  # (n, d)
        return number // united * most + head


class FirstHeadsSharing(Sharing):
    """The first heads, and in each head the first dimensions."""

    name = "first-heads"

    def grid_heads(self, counts: Sequence[int]) -> int:
        """The most heads of a child."""
        return max(counts)

    def shares(self, count: int, most: int) -> int:
        """A head of a child is one of the store."""
        return 1

    def place(self, heads: int, size: int, most: int) -> Tensor:
        """Head n in column n, dimension i in row i."""
        return torch.arange(size) * most + torch.arange(heads)[:, None]  # (n, d)


class PrefixSharing(Sharing):
    """The first channels of each half, in flat order; each child splits them into its heads. The ablation arm."""

    name = "prefix"

    def grid_heads(self, counts: Sequence[int]) -> int:
        """The store knows no heads."""
        return 1

    def shares(self, count: int, most: int) -> int:
        """Dimensions that heads have in common are shared from the first."""
        return 1

    def place(self, heads: int, size: int, most: int) -> Tensor:
        """Head by head."""
        return torch.arange(heads * size).view(heads, size)


SHARINGS: dict[str, type[Sharing]] = {rule.name: rule for rule in (MultiHeadSharing, FirstHeadsSharing, PrefixSharing)}
