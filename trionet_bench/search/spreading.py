"""Architectures spread over the costs and operators of a space, to ask whether a supernet ranks as training does."""

import math

import numpy as np

from trionet_bench.errors import UsageError
from trionet_bench.randomness import derived_generator
from trionet_bench.search.evolution import Cost, cheapest
from trionet_bench.spaces.choice import Genes, Space

CANDIDATES = 16
_ROUNDS = 40
_GOLDEN = (math.sqrt(5) - 1) / 2


def spread(space: Space, cost: Cost, budget: int, count: int, seed: int = 0) -> list[Genes]:
    """``count`` different networks within the budget, spread over MACs and operators; UsageError where there are fewer.

    The rule is our choice. For network number n shares of the operators are drawn first, all shares alike likely. Of
    ``CANDIDATES`` random networks, with an operator for each block by these shares and all else large or small together
    by a size of their own, it is the one whose MACs are nearest to a target, by their logarithm. Targets fill the range
    between the cheapest network and the budget (or the dearest) evenly, by multiples of the golden ratio, so that fewer
    networks are the first of more.
    """
    low = cost(cheapest(space, cost))
    operators = space.operator_options(space.operator_positions[0])
    dearest = max(cost(space.extreme(space.operators_set_to(operator), biggest=True)) for operator in operators)
    width = math.log(max(min(budget, dearest), low) / low)
    found: dict[Genes, None] = {}
    for number in range(count):
        target = math.log(low) + width * ((number + 0.5) * _GOLDEN % 1)
        generator = derived_generator(seed, "spread", number)
        nearest: tuple[float, Genes] | None = None
        for _ in range(_ROUNDS):
            shares = generator.dirichlet(np.ones(len(operators)))
            drawn = {_candidate(space, shares, generator) for _ in range(CANDIDATES)} - {*found}
            within = [(abs(math.log(cost(genes)) - target), genes) for genes in drawn if cost(genes) <= budget]
            if within:
                nearest = min(within)
                break
        if nearest is None:
            raise UsageError(
                f"{space.name} does not show {count} different networks within {budget / 1e6:.3g}M MACs, only "
                f"{len(found)}; raise the budget or ask for fewer architectures."
            )
        found[nearest[1]] = None
    return list(found)


def _candidate(space: Space, shares: np.ndarray, generator: np.random.Generator) -> Genes:
    genes = generator.binomial(space.gene_counts - 1, generator.random())
    for position in space.operator_positions:
        genes[position] = generator.choice(len(shares), p=shares)
    return space.canonical(tuple(int(gene) for gene in genes))
