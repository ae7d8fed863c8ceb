"""Architectures spread over the costs and operators of a space, to ask whether a supernet ranks as training does."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from trionet_bench.errors import UsageError
from trionet_bench.randomness import derived_generator
from trionet_bench.search.budget import BudgetRange, cheapest
from trionet_bench.search.sampling import HierarchicalSampler
from trionet_bench.spaces.choice import Cost, Genes, Space

CANDIDATES = 16
_ROUNDS = 40
_GOLDEN = (math.sqrt(5) - 1) / 2

Draw: TypeAlias = Callable[[np.random.Generator], Genes | None]


def spread(space: Space, cost: Cost, budget: int, count: int, seed: int = 0) -> list[Genes]:
    """``count`` different networks within the budget, spread over MACs and operators.

    The rule is our choice. For network number n, shares of the operators are drawn first, uniformly. Each of
    ``CANDIDATES`` random networks then draws the operator of every block by these shares; its other choices are scaled
    jointly by one random size factor. The candidate nearest to a target in log MACs is taken. Targets fill the range
    from the cheapest network to the budget (or the most expensive network) evenly, by multiples of the golden ratio, so
    that a longer list begins with the shorter one.

    Args:
        cost: MACs of a network.
        budget: in MACs.

    UsageError where the space does not show so many networks within the budget.
    """
    low = cost(cheapest(space, cost))
    operators = space.operator_options(space.operator_positions[0])
    high = max(cost(space.extreme(space.operators_set_to(operator), biggest=True)) for operator in operators)
    width = math.log(max(min(budget, high), low) / low)
    chosen: dict[Genes, None] = {}
    for number in range(count):
        target = math.log(low) + width * ((number + 0.5) * _GOLDEN % 1)
        generator = derived_generator(seed, "spread", number)
        nearest: tuple[float, Genes] | None = None
        for _ in range(_ROUNDS):
            shares = generator.dirichlet(np.ones(len(operators)))
            drawn = {_candidate(space, shares, generator) for _ in range(CANDIDATES)} - {*chosen}
            within = [(abs(math.log(cost(genes)) - target), genes) for genes in drawn if cost(genes) <= budget]
            if within:
                nearest = min(within)
                break
        if nearest is None:
            raise UsageError(
                f"{space.name} does not show {count} different networks within {budget / 1e6:.3g}M MACs, only "
                f"{len(chosen)}; raise the budget or ask for fewer architectures."
            )
        chosen[nearest[1]] = None
    return list(chosen)


def drawn_near(within: BudgetRange, count: int, seed: int = 0) -> list[Genes]:
    """``count`` different random networks within a range of budgets, their operators drawn uniformly.

    A longer list begins with the shorter one. UsageError where the range does not show so many.
    """
    return enough(networks_near(within, count, seed), count, within.space, within.least, within.most)


def networks_near(within: BudgetRange, count: int, seed: int = 0) -> list[Genes]:
    """``count`` different random networks within a range of budgets, their operators drawn uniformly; fewer where the
    range does not show so many.
    """
    sampler = HierarchicalSampler(within.space, seed)
    return first_different(lambda draws: within.fitted(sampler.random(draws), draws), count, _ROUNDS * count, seed)


def first_different(draw: Draw, count: int, draws: int, seed: int = 0) -> list[Genes]:
    """The first ``count`` different networks of so many draws, each of a generator of its own; fewer where the draws do
    not show so many.

    Args:
        draw: a network, or None where it is not to be taken.
    """
    chosen: dict[Genes, None] = {}
    for number in range(draws):
        genes = draw(derived_generator(seed, "near", number))
        if genes is not None:
            chosen[genes] = None
        if len(chosen) == count:
            break
    return list(chosen)


def enough(chosen: list[Genes], count: int, space: Space, least: float, most: float) -> list[Genes]:
    """The networks; UsageError where there are fewer than ``count`` of ``least`` to ``most`` MACs."""
    if len(chosen) == count:
        return chosen
    raise UsageError(
        f"{space.name} does not show {count} different networks of {least / 1e6:.3g}M to {most / 1e6:.3g}M MACs, only "
        f"{len(chosen)}; ask for fewer architectures or a wider range."
    )


def _candidate(space: Space, shares: NDArray[np.float64], generator: np.random.Generator) -> Genes:
    genes = generator.binomial(space.gene_counts - 1, generator.random())
    for position in space.operator_positions:
        genes[position] = generator.choice(len(shares), p=shares)
    return space.canonical(tuple(int(gene) for gene in genes))
