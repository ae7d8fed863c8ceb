"""MACs of the networks of a cell's space on the cell's images, and how many of them a searched network may spend."""

from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.search.budget import BudgetRange
from trionet_bench.spaces.choice import Cost, Genes, Space
from trionet_bench.systems.cell import AnyCell


def cost_in(cell: AnyCell, space: Space | None = None) -> Cost:
    """MACs of a child of the cell's space, or of another ``space``, for one image of the cell."""
    chosen, index = space or cell.space, cell.data.index
    outputs, channels, resolution = cell.data.task.outputs(index), index.channels, cell.resolution

    def macs(genes: Genes) -> int:
        return architecture_macs(chosen.decode(genes), outputs, channels, resolution)

    return macs


def budget_range(cell: AnyCell, space: Space | None = None) -> BudgetRange:
    """What a searched network of the cell may spend; UsageError where no network of the space fits the budget."""
    chosen = space or cell.space
    return BudgetRange.of_budget(chosen, cost_in(cell, chosen), cell.budget, cell.recipe.search.least_share)
