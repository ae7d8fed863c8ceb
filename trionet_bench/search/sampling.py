"""Which children a supernet trains at each step.

Hierarchical Sampling (Pi et al. 2021, arXiv 2111.07547): the operators of all blocks are drawn first, uniformly, and
the sandwich rule is then applied under that assignment: the biggest, the smallest and some random children. The
ablation arm draws each block's candidate uniformly from the flat list of all, so that the probability of an operator is
proportional to its number of options; everything else is equal. Fair draws (Chu et al. 2021, "FairNAS", arXiv
1907.01845) train every operator of a block equally often in each step. What a step draws depends only on (seed, step),
so every process and every resumed run draws the same.

The biggest child is the greatest within the largest budget for the drawn operators, and random children spend a budget
that is searched: no other child can be chosen (our choice; the paper does not say).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trionet_bench.randomness import derived_generator
from trionet_bench.search.budget import BudgetRange
from trionet_bench.spaces.choice import Genes, Space

Role = Literal["biggest", "random", "smallest"]
Level = Literal["block", "stage", "network"]


@dataclass(frozen=True)
class Child:
    """One child of a step and its part in it."""

    genes: Genes
    role: Role


@dataclass(frozen=True)
class Sampler(ABC):
    """Draws children; subclasses say how operators are drawn.

    Args:
        space: where children come from.
        seed: of all draws.
        random_children: how many besides the biggest and the smallest.
        sandwich: without it, the biggest and the smallest are replaced by random children.
        within: the budgets that are searched; None trains children of any cost.
    """

    space: Space
    seed: int
    random_children: int = 2
    sandwich: bool = True
    within: BudgetRange | None = None

    @abstractmethod
    def operators(self, generator: np.random.Generator) -> dict[int, int]:
        """An operator for every block that may exist: gene position -> option."""

    @abstractmethod
    def operator_shares(self, position: int) -> np.ndarray:
        """Probability of each option of the operator gene at ``position``."""

    def draw(self, step: int) -> list[Child]:
        """The children of one step: the biggest first, the smallest last."""
        generator = derived_generator(self.seed, "children", step)
        fixed = self.operators(generator)
        if not self.sandwich:
            return [self.random_child(generator, fixed) for _ in range(self.random_children + 2)]
        return [
            Child(self.biggest(fixed), "biggest"),
            *(self.random_child(generator, fixed) for _ in range(self.random_children)),
            Child(self.space.extreme(fixed, biggest=False), "smallest"),
        ]

    def biggest(self, fixed: Mapping[int, int]) -> Genes:
        """The greatest child with these operators (gene position -> option) that can be chosen."""
        return self.space.extreme(fixed, biggest=True) if self.within is None else self.within.greatest(fixed)

    def random_child(self, generator: np.random.Generator, fixed: Mapping[int, int]) -> Child:
        """A random child with these operators, within the budgets where its operators can be."""
        genes = self.space.random(generator, fixed)
        fitted = None if self.within is None else self.within.fitted(genes, generator)
        return Child(genes if fitted is None else fitted, "random")

    def random(self, generator: np.random.Generator) -> Genes:
        """One random child."""
        return self.space.random(generator, self.operators(generator))


@dataclass(frozen=True)
class HierarchicalSampler(Sampler):
    """Operators first, uniformly. ``level`` is what shares a draw: each block (the paper's), stage, or network."""

    level: Level = "block"

    def operators(self, generator: np.random.Generator) -> dict[int, int]:
        """Uniform over the operators, one draw per group of blocks."""
        drawn: dict[tuple[int | None, ...], int] = {}
        fixed = {}
        for position in self.space.operator_positions:
            choice = self.space.choices[position]
            groups = {"block": (choice.stage, choice.block), "stage": (choice.stage,), "network": ()}
            group = groups[self.level]
            if group not in drawn:
                drawn[group] = int(generator.integers(len(choice.values)))
            fixed[position] = drawn[group]
        return fixed

    def operator_shares(self, position: int) -> np.ndarray:
        """Equal shares."""
        count = len(self.space.choices[position].values)
        return np.full(count, 1 / count)


@dataclass(frozen=True)
class UniformSampler(Sampler):
    """Candidates uniformly from the flat list of all operators with all their options."""

    def operators(self, generator: np.random.Generator) -> dict[int, int]:
        """In proportion to the number of candidates of each operator."""
        return {
            position: int(generator.choice(len(shares), p=shares))
            for position in self.space.operator_positions
            for shares in [self.operator_shares(position)]
        }

    def operator_shares(self, position: int) -> np.ndarray:
        """Candidates of each operator over all candidates of the block."""
        candidates = np.array(self.space.candidates(position), dtype=float)
        shares: np.ndarray = candidates / candidates.sum()
        return shares


@dataclass(frozen=True)
class FairSampler(HierarchicalSampler):
    """Every operator of a block in as many children of a step as any other."""

    def draw(self, step: int) -> list[Child]:
        """``random_children`` rounds; in each, every block meets its operators once, in a drawn order, and each of
        these children is a random one.
        """
        generator = derived_generator(self.seed, "children", step)
        children = []
        for _ in range(self.random_children):
            orders = {
                position: generator.permutation(len(self.space.operator_options(position)))
                for position in self.space.operator_positions
            }
            for number in range(max(map(len, orders.values()))):
                fixed = {position: int(order[number % len(order)]) for position, order in orders.items()}
                children.append(self.random_child(generator, fixed))
        return children


@dataclass(frozen=True)
class SinglePathSampler(UniformSampler):
    """One child a step, as Single Path One-Shot NAS trains (Guo et al. 2020, arXiv 1904.00420) and GLiT after it."""

    def draw(self, step: int) -> list[Child]:
        """Every candidate of a block has equal probability."""
        return [Child(self.random(derived_generator(self.seed, "children", step)), "random")]
