"""What every search space is: a list of choices, genes that index them, and architectures that the genes stand for.

A space is data: it knows nothing of weights, images or cost. Genes are a tuple of indices, one per choice; two gene
tuples mean the same network exactly when their canonical forms are equal, so the canonical form is the key under which
a search remembers.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from trionet_bench.errors import UsageError
from trionet_bench.spaces.operators import OPERATORS

Genes = tuple[int, ...]
Value = str | float  # of a choice
Cost = Callable[[Genes], int]  # MACs of the network that genes stand for


class Architecture(Protocol):
    """A network as a frozen, hashable value."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; the space's ``from_dict`` reads it back."""
        ...


@dataclass(frozen=True)
class Choice:
    """One decision of a space.

    Args:
        field: what is decided: ``window``.
        values: the options, ordered from cheapest to most expensive wherever there is such an order.
        group: ``operator`` for what a block computes, ``shape`` for depth and width, ``detail`` for everything else.
        stage, block: where; None for what belongs to no stage (in a space of one stage, to all), or to no block.
    """

    field: str
    values: tuple[Value, ...]
    group: Literal["operator", "shape", "detail"]
    stage: int | None = None
    block: int | None = None

    @property
    def name(self) -> str:
        """For people: ``stages.1.blocks.0.window``."""
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
        """Names of the operators that its blocks may hold."""

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
    def encode(self, architecture: Architecture) -> Genes:
        """The canonical genes of an architecture; UsageError naming the first value that the space does not hold."""

    @abstractmethod
    def from_dict(self, value: object) -> Architecture:
        """Read an architecture back and check that it is a member; UsageError where it is not."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """All dimensions of the space in plain JSON types: what enters a result's key."""

    @abstractmethod
    def with_dimensions(self, **dimensions: object) -> Self:
        """A copy with other dimensions, in the types of ``to_dict``; UsageError for one that does not exist."""

    @abstractmethod
    def cover(self) -> Iterator[Architecture]:
        """Few architectures that together use every weight at its full size; a supernet takes its shapes from them."""

    @abstractmethod
    def blocks(self, genes: Genes) -> list[tuple[int, int, int]]:
        """The blocks that exist: (stage, block, index of the gene that holds the block's operator)."""

    @abstractmethod
    def candidates(self, operator_position: int) -> tuple[int, ...]:
        """For each option of a block's operator gene, how many combinations of its details there are."""

    def parts(self, operator: str) -> Mapping[str, float]:
        """What a block with this option of its operator gene is made of: the share of each spatial operator."""
        return {operator: 1.0}

    def code(self, operator: str) -> str:
        """The character that stands for a block with this option of its operator gene."""
        return OPERATORS.get(operator).code

    def operators_in(self, genes: Genes) -> list[str]:
        """The option of the operator gene of every block that exists, in order."""
        return [str(self.choices[position].values[genes[position]]) for _, _, position in self.blocks(genes)]

    def codes(self, genes: Genes) -> str:
        """The operators of a network, one character a block, in order."""
        return "".join(map(self.code, self.operators_in(genes)))

    def operator_options(self, position: int) -> tuple[str, ...]:
        """The options of the operator gene at ``position``."""
        return tuple(map(str, self.choices[position].values))

    @cached_property
    def operator_positions(self) -> tuple[int, ...]:
        """Indices of the genes that choose an operator."""
        return tuple(i for i, choice in enumerate(self.choices) if choice.group == "operator")

    @cached_property
    def gene_counts(self) -> NDArray[np.int64]:
        """Number of options of each gene."""
        return np.array([len(choice.values) for choice in self.choices])

    @property
    def size(self) -> int:
        """Gene tuples in the space; networks may be fewer, since some genes have no effect under others."""
        return math.prod(len(choice.values) for choice in self.choices)

    def option(self, position: int, value: object) -> int:
        """The index of ``value`` among the options of a gene; UsageError naming those there are."""
        choice = self.choices[position]
        for number, known in enumerate(choice.values):
            if known == value:
                return number
        allowed = ", ".join(str(known) for known in choice.values)
        raise UsageError(f"{choice.name} is {value}, which {self.name} does not hold; allowed are {allowed}.")

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
        """Each block as one from either parent, each other gene from either parent (our choice)."""
        take_first = generator.random(len(first)) < 0.5
        for position in self.operator_positions:
            for dependent in self.dependents(position):
                take_first[dependent] = take_first[position]
        return self.canonical(tuple(a if t else b for a, b, t in zip(first, second, take_first, strict=True)))

    @abstractmethod
    def dependents(self, operator_position: int) -> Iterable[int]:
        """The genes whose meaning depends on the operator at ``operator_position``."""
