import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from support.tiny import FOUR_STAGES, TINY, all_networks

from trionet_bench.errors import UsageError
from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.records.layout import format_budget
from trionet_bench.search.budget import BudgetRange, cheapest
from trionet_bench.spaces.choice import Genes, Space
from trionet_bench.spaces.presets import GLIT_NANO, RESNET_NANO, RESNET_TINY


def cost_in(space: Space, resolution: int) -> Callable[[Genes], int]:
    return cache(lambda genes: architecture_macs(space.decode(genes), 5, 2, resolution))


macs = cost_in(TINY, 8)
COSTS = sorted(map(macs, all_networks(TINY)))
SPACES = pytest.mark.parametrize(
    ("space", "resolution", "budget"),
    [
        (RESNET_NANO, 16, 3_000_000),
        (RESNET_TINY, 64, 60_000_000),
        (FOUR_STAGES, 16, 250_000),
        (GLIT_NANO, 32, 3 * 10**7),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)


def test_budget_is_checked_to_the_unit():
    assert BudgetRange.of_budget(TINY, macs, COSTS[0], 0.9).most == COSTS[0]
    least, less = format_budget(COSTS[0]), format_budget(COSTS[0] - 1)
    said = re.escape(f"No architecture of tiny fits {less} MACs: the smallest needs {least}.")
    with pytest.raises(UsageError, match=said):
        BudgetRange.of_budget(TINY, macs, COSTS[0] - 1, 0.9)


def test_range_of_a_budget_that_the_space_cannot_spend_begins_below_what_it_can():
    # Both ends are in the range, and the largest network of one operator always is.
    for budget in (COSTS[0], COSTS[5], COSTS[-1], 10 * COSTS[-1]):
        within = BudgetRange.of_budget(TINY, macs, budget, 0.9)
        assert within.largest in within
        spent = macs(within.largest)
        assert within.least == int(0.9 * (budget if spent >= 0.9 * budget else spent))


@pytest.mark.parametrize("operators", [["axial"], ["local", "axial"], ["conv", "local"]])
@pytest.mark.parametrize("width", [16, 40, 44])
def test_cheapest_is_the_cheapest_of_all(operators: list[str], width: int):
    # At mid widths 20 and 22, four heads round down to fewer dimensions than two.
    space = TINY.with_dimensions(
        operators=operators, expansions=[0.5], heads=[2, 4], windows=[3],
        stages=[{"depths": [1], "widths": [width], "stride": 1}],
    )  # fmt: skip

    def cost(genes: Genes) -> int:
        return architecture_macs(space.decode(genes), 5, 2, 8)

    assert cost(cheapest(space, cost)) == min(map(cost, all_networks(space)))


@SPACES
def test_fitted_networks_spend_the_budget_and_keep_their_operators(space: Space, resolution: int, budget: int):
    within = BudgetRange.of_budget(space, cost_in(space, resolution), budget, 0.9)
    generator = np.random.default_rng(0)
    fitted = 0
    for _ in range(60):
        drawn = space.random(generator)
        genes = within.fitted(drawn, generator)
        if genes is None:
            continue
        fitted += 1
        assert genes == space.canonical(genes)
        assert within.least <= within.cost(genes) <= budget
        operators = {position: genes[position] for _, _, position in space.blocks(genes)}
        # a block that the drawn network does not have may get any operator
        present = {position for _, _, position in space.blocks(drawn)}
        assert all(option == drawn[position] for position, option in operators.items() if position in present)
    assert fitted > 40


def test_network_that_is_in_the_range_stays_as_it_is():
    within = BudgetRange(TINY, macs, COSTS[0], COSTS[-1])
    generator = np.random.default_rng(0)
    assert all(within.fitted(genes, generator) == genes for genes in all_networks(TINY))


def test_operators_that_cannot_spend_so_much_spend_what_they_can():
    # Otherwise a budget that is large for the space would leave only its most expensive operator.
    deepest = {at: len(choice.values) - 1 for at, choice in enumerate(TINY.choices) if choice.field == "depth"}
    conv = TINY.operators_set_to("conv") | deepest
    biggest = TINY.extreme(conv, biggest=True)
    within = BudgetRange(TINY, macs, macs(biggest) + 1, 2 * macs(biggest))
    for seed in range(5):
        generator = np.random.default_rng(seed)
        assert macs(within.fitted(TINY.random(generator, conv), generator) or ()) == macs(biggest)


def test_operators_that_do_not_fit_in_any_size_are_given_up():
    axial = TINY.extreme(TINY.operators_set_to("axial"), biggest=False)
    within = BudgetRange(TINY, macs, 0, macs(axial) - 1)
    assert within.fitted(axial, np.random.default_rng(0)) is None


@SPACES
def test_greatest_network_fits_and_nothing_of_it_can_be_raised(space: Space, resolution: int, budget: int):
    cost = cost_in(space, resolution)
    within = BudgetRange(space, cost, 0, budget)
    generator = np.random.default_rng(1)
    for _ in range(5):
        fixed = {
            position: int(generator.integers(space.gene_counts[position])) for position in space.operator_positions
        }
        genes = within.greatest(fixed)
        smallest = space.extreme(fixed, biggest=False)
        if cost(smallest) > budget:
            assert genes == smallest
            continue
        assert cost(genes) <= budget
        assert all(genes[position] == fixed[position] for _, _, position in space.blocks(genes))
        for position, choice in enumerate(space.choices):
            if choice.group != "operator" and genes[position] + 1 < space.gene_counts[position]:
                raised = space.canonical((*genes[:position], genes[position] + 1, *genes[position + 1 :]))
                taller = space.canonical(tuple(fixed.get(at, gene) for at, gene in enumerate(raised)))
                assert not cost(genes) < cost(taller) <= budget


def test_greatest_network_of_a_budget_that_admits_all_is_the_biggest():
    fixed = RESNET_NANO.operators_set_to("local")
    cost = cost_in(RESNET_NANO, 16)
    biggest = RESNET_NANO.extreme(fixed, biggest=True)
    assert cost(BudgetRange(RESNET_NANO, cost, 0, 10**12).greatest(fixed)) == cost(biggest)
