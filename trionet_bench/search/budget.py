"""Networks of a space that spend a budget: the range that a search looks at, and how a network is brought into it.

A search without a lower bound spends what it likes, and a proposal that is drawn until it fits prefers the operators
that fit more often. So both are our choice: candidates spend 0.9 to 1 of the budget, like the baselines, and a drawn
network keeps its operators and is brought into the range by changing its other choices.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trionet_bench.errors import UsageError
from trionet_bench.records.layout import format_budget
from trionet_bench.spaces.choice import Cost, Genes, Space

_RESTARTS = 8  # redrawn sizes of one network before its operators are given up


def nothing_fits(what: str, budget: int, smallest: int) -> UsageError:
    """The error where the smallest network of a kind exceeds a budget, both in MACs."""
    return UsageError(
        f"No {what} fits {format_budget(budget)} MACs: the smallest needs {format_budget(smallest)}. "
        "Raise the budget or choose another space."
    )


def cheapest(space: Space, cost: Cost) -> Genes:
    """The network of fewest MACs: the smallest shape, and for each block the operator that costs least, with its
    cheapest options (rounding to whole dimensions per head makes that more than the smallest ones).
    """

    def settings(genes: Genes, position: int) -> Iterator[Genes]:
        for option in range(int(space.gene_counts[position])):
            yield space.canonical((*genes[:position], option, *genes[position + 1 :]))

    genes = space.extreme({}, biggest=False)
    for _, _, position in space.blocks(genes):
        by_operator = []
        for candidate in settings(genes, position):
            for dependent in space.dependents(position):
                candidate = min(settings(candidate, dependent), key=cost)
            by_operator.append(candidate)
        genes = min(by_operator, key=cost)
    return genes


@dataclass(frozen=True)
class BudgetRange:
    """The networks of a space that spend between ``least`` and ``most`` MACs.

    Args:
        space: where the networks are from.
        cost: MACs of a network.
        least, most: the range, both ends in it.
    """

    space: Space
    cost: Cost
    least: int
    most: int

    @classmethod
    def of_budget(cls, space: Space, cost: Cost, budget: int, share: float) -> "BudgetRange":
        """From ``share`` of a budget to the budget; where ``largest`` spends less, from ``share`` of what it spends.

        UsageError with both numbers where no network fits the budget.
        """
        smallest = cost(cheapest(space, cost))
        if smallest > budget:
            raise nothing_fits(f"architecture of {space.name}", budget, smallest)
        spent = cost(cls(space, cost, 0, budget).largest)
        return cls(space, cost, int(share * (budget if spent >= share * budget else spent)), budget)

    @cached_property
    def largest(self) -> Genes:
        """The greatest network of one operator within the range, or the cheapest where none fits."""
        networks = [self.greatest(self.space.operators_set_to(operator)) for operator in self.space.everywhere]
        networks.append(cheapest(self.space, self.cost))
        return max((genes for genes in networks if self.cost(genes) <= self.most), key=self.cost)

    def __contains__(self, genes: Genes) -> bool:
        return self.least <= self.cost(genes) <= self.most

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        """Positions of the genes that choose no operator."""
        return tuple(at for at, choice in enumerate(self.space.choices) if choice.group != "operator")

    def fitted(self, genes: Genes, generator: np.random.Generator) -> Genes | None:
        """A network of the range whose blocks have the operators of ``genes``, the nearest that single changes lead to.

        Choices other than operators change by one option at a time, drawn among those that lead towards the range and
        not beyond it; a block that is added gets an operator uniformly. Operators that cannot spend so much in this
        space spend what they can. Where the changes end outside of the range otherwise, these choices are drawn anew.
        None where this fails again and again, as for operators that are too expensive for the budget in every size.
        """
        start = self.space.canonical(genes)
        if start in self:
            return start
        drawn = generator.integers(self.space.gene_counts)
        operators = {position: int(drawn[position]) for position in self.space.operator_positions}
        operators |= {position: genes[position] for _, _, position in self.space.blocks(genes)}
        for _ in range(_RESTARTS):
            reached, ends = self._walked([operators.get(at, gene) for at, gene in enumerate(start)], generator)
            if reached in self or ends:
                return reached
            start = self.space.random(generator, operators)
        return None

    def _walked(self, genes: list[int], generator: np.random.Generator) -> tuple[Genes, bool]:
        """The canonical network at which no single change leads nearer to the range, and whether that is because the
        space has no greater one with its operators. ``genes`` have all blocks.
        """
        network = self.space.canonical(tuple(genes))
        cost = self.cost(network)
        while not self.least <= cost <= self.most:
            step, beyond = 1 if cost < self.least else -1, False
            for position in generator.permutation(self._sizes):
                option = genes[position] + step
                if not 0 <= option < self.space.gene_counts[position]:
                    continue
                changed = [*genes[:position], option, *genes[position + 1 :]]
                now = self.cost(candidate := self.space.canonical(tuple(changed)))
                beyond = beyond or now > self.most
                if (now - cost) * step > 0 and (step < 0 or now <= self.most):
                    genes, network, cost = changed, candidate, now
                    break
            else:
                return network, step > 0 and not beyond
        return network, False

    def greatest(self, fixed: Mapping[int, int]) -> Genes:
        """The greatest network within ``most`` with the options in ``fixed`` (position -> option), by a rule.

        All other choices are raised together, as far as they fit, then one by one, the last stage first, until none
        fits any more. Where even the smallest does not fit, that one.
        """
        counts = self.space.gene_counts
        free = [position for position in self._sizes if position not in fixed]

        def at_level(level: float) -> dict[int, int]:
            return {position: int(level * (counts[position] - 1) + 0.5) for position in free}

        levels = sorted({(option + 0.5) / (counts[at] - 1) for at in free for option in range(counts[at] - 1)} | {0.0})
        low, high = 0, len(levels)  # the first fits, or nothing does
        while high - low > 1:
            middle = (low + high) // 2
            fits = self.cost(self.space.extreme({**fixed, **at_level(levels[middle])}, biggest=False)) <= self.most
            low, high = (middle, high) if fits else (low, middle)
        chosen = {**fixed, **at_level(levels[low])}
        genes = self.space.extreme(chosen, biggest=False)
        raised = True
        while raised:
            raised = False
            for position in reversed(free):
                if chosen[position] + 1 == counts[position]:
                    continue
                taller = self.space.extreme({**chosen, position: chosen[position] + 1}, biggest=False)
                if self.cost(genes) < self.cost(taller) <= self.most:
                    chosen[position], genes, raised = chosen[position] + 1, taller, True
        return genes
