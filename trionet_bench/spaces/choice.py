"""What every search space is: a list of choices, genes that index them, and architectures that the genes stand for.

A space is data: it knows nothing of weights, images or cost. Genes are a tuple of indices, one per choice; two gene
tuples mean the same network exactly when their canonical forms are equal, so the canonical form is the key under which
a search remembers.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from trionet_bench.errors import UsageError

Genes = tuple[int, ...]


class Architecture(Protocol):
    """A network as a frozen, hashable value."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; the space's ``from_dict`` reads it back."""
        ...


@dataclass(frozen=True)
class Choice:
    """One decision of a space.

    Args:
        name: where it is, for people: ``stages.1.blocks.0.window``.
        values: the options, ordered from cheapest to dearest wherever there is such an order.
        group: ``operator`` for what a block computes, ``shape`` for depth and width, ``detail`` for everything else.
    """

    name: str
    values: tuple[Any, ...]
    group: str


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
        """Names of what may stand in its blocks."""

    @cached_property
    @abstractmethod
    def choices(self) -> tuple[Choice, ...]:
        """All decisions, in the order of the genes."""

    @abstractmethod
    def canonical(self, genes: Genes) -> Genes:
        """The same network with every gene that has no effect set to 0."""

    @abstractmethod
    def decode(self, genes: Genes) -> Architecture:
        """The architecture that the genes stand for."""

    @abstractmethod
    def encode(self, architecture: Any) -> Genes:
        """The canonical genes of an architecture; UsageError naming the first value that the space does not hold."""

    @abstractmethod
    def from_dict(self, value: Mapping[str, Any]) -> Architecture:
        """Read an architecture back and check that it is a member; UsageError where it is not."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """All dimensions of the space in plain JSON types: what enters a result's key."""

    @abstractmethod
    def with_dimensions(self, **dimensions: Any) -> Self:
        """A copy with other dimensions; UsageError for one that does not exist."""

    @abstractmethod
    def cover(self) -> Iterator[Architecture]:
        """Few architectures that together use every weight at its full size; a supernet takes its shapes from them."""

    @abstractmethod
    def blocks(self, genes: Genes) -> list[tuple[int, int, int]]:
        """The blocks that exist: (stage, block, index of the gene that holds the block's operator)."""

    @abstractmethod
    def candidates(self, operator_position: int) -> tuple[int, ...]:
        """For each operator of a block, how many combinations of its own options there are."""

    def parts(self, operator: str) -> Mapping[str, float]:
        """What a block with this option of its operator gene is made of: the share of each spatial operator."""
        return {operator: 1.0}

    @cached_property
    def operator_positions(self) -> tuple[int, ...]:
        """Indices of the genes that choose an operator."""
        return tuple(i for i, choice in enumerate(self.choices) if choice.group == "operator")

    @cached_property
    def gene_counts(self) -> np.ndarray:
        """Number of options of each gene."""
        return np.array([len(choice.values) for choice in self.choices])

    @property
    def size(self) -> int:
        """Gene tuples in the space; networks may be fewer, since some genes have no effect under others."""
        return math.prod(len(choice.values) for choice in self.choices)

    def option(self, position: int, value: Any) -> int:
        """The number of ``value`` among the options of a gene; UsageError naming those there are."""
        choice = self.choices[position]
        if value not in choice.values:
            allowed = ", ".join(str(v) for v in choice.values)
            raise UsageError(f"{choice.name} is {value}, which {self.name} does not hold; allowed are {allowed}.")
        return choice.values.index(value)

    def random(self, generator: np.random.Generator, fixed: Mapping[int, int] | None = None) -> Genes:
        """Canonical genes drawn uniformly, apart from those held ``fixed`` (gene index -> option)."""
        genes = generator.integers(self.gene_counts)
        for position, option in (fixed or {}).items():
            genes[position] = option
        return self.canonical(tuple(int(g) for g in genes))

    def extreme(self, fixed: Mapping[int, int], biggest: bool) -> Genes:
        """The biggest or smallest network under an assignment of some genes, usually the operators."""
        options = (self.gene_counts - 1) if biggest else np.zeros_like(self.gene_counts)
        return self.canonical(tuple(fixed.get(i, int(option)) for i, option in enumerate(options)))

    def operators_set_to(self, operator: str) -> dict[int, int]:
        """The assignment that gives every block the same operator, for ``random`` and ``extreme``."""
        return {i: self.choices[i].values.index(operator) for i in self.operator_positions}

    def middle(self, fixed: Mapping[int, int]) -> Genes:
        """Every free gene at its middle option: a typical network under an assignment of some genes."""
        return self.canonical(tuple(fixed.get(i, int(count) // 2) for i, count in enumerate(self.gene_counts)))

    def mutate(self, genes: Genes, probability: float, generator: np.random.Generator) -> Genes:
        """Each gene redrawn with ``probability``; when an operator changes, its options are redrawn with it (our
        choice).
        """
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
        """Each block from either parent as a whole, each other gene from either parent (our choice)."""
        take_first = generator.random(len(first)) < 0.5
        for position in self.operator_positions:
            for dependent in self.dependents(position):
                take_first[dependent] = take_first[position]
        return self.canonical(tuple(a if t else b for a, b, t in zip(first, second, take_first, strict=True)))

    @abstractmethod
    def dependents(self, operator_position: int) -> Iterable[int]:
        """The genes whose meaning hangs from the operator at ``operator_position``."""
