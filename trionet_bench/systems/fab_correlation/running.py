"""Trains the architectures of a correlation, and scores them by what a search in the supernet maximises."""

from functools import lru_cache
from statistics import fmean

import numpy as np

from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.records.record import CellResult
from trionet_bench.search.sampling import SinglePathSampler
from trionet_bench.search.spreading import enough, first_different
from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.fab import FabSpace
from trionet_bench.systems.alone import alone_work, ranked, scoring, train_alone
from trionet_bench.systems.alone_phases import phase_number
from trionet_bench.systems.base import PhaseResult, RunContext, SystemRunner
from trionet_bench.systems.cell import Phase
from trionet_bench.systems.cost import cost_in
from trionet_bench.systems.fab.running import (
    at_scale,
    images_of,
    macs_in,
    open_supernet,
    searching,
    train_supernet_phase,
    work_of_supernet,
)
from trionet_bench.systems.fab.system import supernet_phase
from trionet_bench.systems.fab_correlation.system import FabCorrelationCell, Options
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.systems.work import Work

_DRAWS = 200  # for each architecture that is wanted


class FabCorrelationRunner(SystemRunner[Options, FabSpace]):
    """Carries correlations and their phases out."""

    def check(self, cell: FabCorrelationCell) -> None:
        """UsageError where the space has too few networks near the budget, or images cannot be cut into patches."""
        _architectures(cell)
        if cell.options.objective == "context":
            cell.options.pretext.layout(cell.resolution)

    def work(self, cell: FabCorrelationCell) -> list[Work]:
        """Every architecture scored twice; and the shared statistics."""
        macs = fmean(map(cost_in(cell, at_scale(cell)), _architectures(cell)))
        return [scoring(cell, macs, cell.options.architectures)]

    def phase_work(self, phase: Phase, cell: FabCorrelationCell) -> list[Work]:
        """The supernet's, or the training of one architecture."""
        if phase.name == supernet_phase(cell).name:
            return work_of_supernet(cell)
        return alone_work(cell, cost_in(cell, at_scale(cell))(_architectures(cell)[phase_number(phase)[0]]))

    def run_phase(self, phase: Phase, cell: FabCorrelationCell, context: RunContext) -> PhaseResult:
        """Train the supernet, or one architecture from scratch."""
        if phase.name == supernet_phase(cell).name:
            return train_supernet_phase(TrainingContext.open(cell, context))
        return train_alone(phase, cell, context, at_scale(cell), _architectures(cell))

    def run_cell(self, cell: FabCorrelationCell, context: RunContext) -> CellResult:
        """Score every architecture with the supernet's weights, beside its metric when trained from scratch."""
        opened = TrainingContext.open(cell, context)
        guided = searching(opened)
        sampler = SinglePathSampler(at_scale(cell), cell.seed)

        def measured(child: Skeleton) -> float:
            return cell.data.task.sign * guided.task.fitness(child, guided.eval_batches("val"))

        supernet = supernet_phase(cell).name
        chosen, runs = _architectures(cell), cell.options.runs
        return ranked(opened, open_supernet(guided), sampler, chosen, runs, measured, supernet, "fitness")


def _architectures(cell: FabCorrelationCell) -> list[Genes]:
    """The cell's architectures, which do not depend on its seed or supernet; more of them begin with the fewer."""
    options = cell.options
    return _chosen(at_scale(cell), images_of(cell), cell.budget, options.architectures, options.near)


@lru_cache(maxsize=8)  # an estimate asks for the same ones for each
def _chosen(space: FabSpace, images: tuple[int, int, int], budget: int, count: int, near: float) -> list[Genes]:
    least = near * budget

    def drawn(generator: np.random.Generator) -> Genes | None:
        genes = space.random(generator)
        return genes if least <= macs_in(space, genes, images) <= budget else None

    return enough(first_different(drawn, count, _DRAWS * count), count, space, least, budget)
