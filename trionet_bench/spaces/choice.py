"""The base of every search space: a list of choices, genes that index them, and the architectures they stand for.

A space is data: it knows nothing of weights, images or cost. Genes are a tuple of indices, one per choice. Two gene
tuples stand for the same network exactly when their canonical forms are equal, so a search stores results by these.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from trionet_bench.errors import UsageError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.spaces.operators import OPERATORS

Genes = tuple[int, ...]
Value = str | float  # one option of a choice
Cost = Callable[[Genes], int]  # MACs of the network that genes stand for


class Architecture(Protocol):
    """A network as a frozen, hashable value."""

    def to_dict(self) -> JsonObject:
        """Plain JSON types; the space's ``from_dict`` reads it back."""
        ...


@dataclass(frozen=True)
class Choice:
    """One decision of a space.

    Args:
        field: name of what is decided, such as ``window``.
        values: the options, from cheapest to most expensive where they have such an order.
        group: ``operator`` for what a block computes, ``shape`` for depth and width, ``detail`` for everything else.
        stage: index of the stage, None where the choice belongs to no stage or the space has only one.
        block: index of the block within its stage, None where the choice belongs to no block.
    """

    field: str
    values: tuple[Value, ...]
    group: Literal["operator", "shape", "detail"]
    stage: int | None = None
    block: int | None = None

    @property
    def name(self) -> str:
        """Path for messages, such as ``stages.1.blocks.0.window``; not to be parsed."""
        places = (("stages", self.stage), ("blocks", self.block))
        return "".join(f"{of}.{number}." for of, number in places if number is not None) + self.field


class Space(ABC):
    """A finite set of architectures. Subclasses are frozen dataclasses that say how genes become networks and back.

    ``kind`` names the skeleton that its networks have.
    """

    kind: ClassVar[str]
    name: str
    resolution: int

    @property
    @abstractmethod
    def operators(self) -> tuple[str, ...]:
        """Names of the operators that blocks may hold."""

    @cached_property
    @abstractmethod
    def choices(self) -> tuple[Choice, ...]:
        """All choices, in the order of the genes."""

    @abstractmethod
    def canonical(self, genes: Genes) -> Genes:
        """The same network with every gene that has no effect set to 0."""

    @abstractmethod
    def decode(self, genes: Genes) -> Architecture:
        """The architecture that the genes stand for."""

    @abstractmethod
    def encode(self, architecture: Architecture) -> Genes:
        """The canonical genes of an architecture; UsageError naming the first value that the space does not hold."""

    @abstractmethod
    def from_dict(self, value: object) -> Architecture:
        """The architecture that ``Architecture.to_dict`` wrote; UsageError where it is not in this space."""

    @abstractmethod
    def to_dict(self) -> JsonObject:
        """All dimensions of the space in plain JSON types; they enter the keys of results."""

    @abstractmethod
    def with_dimensions(self, **dimensions: object) -> Self:
        """A copy with some dimensions replaced, in the types of ``to_dict``; UsageError for an unknown dimension."""

    @abstractmethod
    def cover(self) -> Iterator[Architecture]:
        """A few architectures that together use every weight at its largest size: a supernet's shapes are from them."""

    @abstractmethod
    def blocks(self, genes: Genes) -> list[tuple[int, int, int]]:
        """The blocks within the depth: (stage, block, position of the gene that holds the block's operator)."""

    @abstractmethod
    def candidates(self, operator_position: int) -> tuple[int, ...]:
        """For each option of the operator gene at this position, the number of combinations of its details."""

    def parts(self, operator: str) -> Mapping[str, float]:
        """The share of the channels, 0 to 1, of each operator in a block with this option of its operator gene."""
        return {operator: 1.0}

    def code(self, operator: str) -> str:
        """The character that stands for a block with this option of its operator gene."""
        return OPERATORS.get(operator).code

    def operators_in(self, genes: Genes) -> list[str]:
        """The option of the operator gene of every block within the depth, in order."""
        return [str(self.choices[position].values[genes[position]]) for _, _, position in self.blocks(genes)]

    def codes(self, genes: Genes) -> str:
        """The operators of a network, one character a block, in order."""
        return "".join(map(self.code, self.operators_in(genes)))

    def operator_options(self, position: int) -> tuple[str, ...]:
        """The options of the operator gene at ``position``."""
        return tuple(map(str, self.choices[position].values))

    @cached_property
    def everywhere(self) -> tuple[str, ...]:
        """The options that every operator gene has, hence those of which there are networks of one operator."""
        options = [self.operator_options(position) for position in self.operator_positions]
        return tuple(option for option in options[0] if all(option in allowed for allowed in options))

    @cached_property
    def operator_positions(self) -> tuple[int, ...]:
        """Positions of the genes that choose an operator."""
        return tuple(i for i, choice in enumerate(self.choices) if choice.group == "operator")

    @cached_property
    def gene_counts(self) -> NDArray[np.int64]:
        """Number of options of each gene, (genes,)."""
        return np.array([len(choice.values) for choice in self.choices])

    @property
    def size(self) -> int:
        """Number of gene tuples; there may be fewer networks, since some genes have no effect under others."""
        return math.prod(len(choice.values) for choice in self.choices)

    def option(self, position: int, value: object) -> int:
        """The index of ``value`` among the options of a gene; UsageError listing the options where it is none."""
        choice = self.choices[position]
        for number, known in enumerate(choice.values):
            if known == value:
                return number
        allowed = ", ".join(str(known) for known in choice.values)
        raise UsageError(f"{choice.name} is {value}, which {self.name} does not hold; allowed are {allowed}.")

    def random(self, generator: np.random.Generator, fixed: Mapping[int, int] | None = None) -> Genes:
        """Canonical genes drawn uniformly, except those in ``fixed`` (position -> option)."""
        genes = generator.integers(self.gene_counts)
        for position, option in (fixed or {}).items():
            genes[position] = option
        return self.canonical(tuple(int(g) for g in genes))

    def extreme(self, fixed: Mapping[int, int], biggest: bool) -> Genes:
        """Canonical genes of the biggest or smallest network with the genes in ``fixed`` (position -> option)."""
        options = (self.gene_counts - 1) if biggest else np.zeros_like(self.gene_counts)
        return self.canonical(tuple(fixed.get(i, int(option)) for i, option in enumerate(options)))

    def operators_set_to(self, operator: str) -> dict[int, int]:
        """``fixed`` for ``random``, ``extreme`` and ``middle`` that gives every block the same operator."""
        return {i: self.choices[i].values.index(operator) for i in self.operator_positions}

    def middle(self, fixed: Mapping[int, int]) -> Genes:
        """Canonical genes with the middle option of every gene but those in ``fixed`` (position -> option)."""
        return self.canonical(tuple(fixed.get(i, int(count) // 2) for i, count in enumerate(self.gene_counts)))

    def mutate(self, genes: Genes, probability: float, generator: np.random.Generator) -> Genes:
        """Redraw each gene with ``probability``, and all details of a block whose operator changes (our choice)."""
        redraw = generator.random(len(genes)) < probability
        fresh = generator.integers(self.gene_counts)
        options = generator.integers(self.gene_counts)
        child = np.where(redraw, fresh, genes)
        for position in self.operator_positions:
            if child[position] != genes[position]:
                for dependent in self.dependents(position):
                    child[dependent] = options[dependent]
        return self.canonical(tuple(int(g) for g in child))

    def crossover(self, first: Genes, second: Genes, generator: np.random.Generator) -> Genes:
        """Take each block in full, and each other gene, from one of both parents at random (our choice)."""
        take_first = generator.random(len(first)) < 0.5
        for position in self.operator_positions:
            for dependent in self.dependents(position):
                take_first[dependent] = take_first[position]
        return self.canonical(tuple(a if t else b for a, b, t in zip(first, second, take_first, strict=True)))

    @abstractmethod
    def dependents(self, operator_position: int) -> Iterable[int]:
        """The genes whose meaning depends on the operator at ``operator_position``."""
