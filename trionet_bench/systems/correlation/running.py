"""Trains the architectures of a correlation, and scores them with the weights of the supernet."""

from functools import lru_cache
from statistics import fmean

from trionet_bench.networks.skeletons import Skeleton, architecture_macs
from trionet_bench.records.record import CellResult
from trionet_bench.search.budget import BudgetRange
from trionet_bench.search.spreading import drawn_near, spread
from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.alone import alone_work, ranked, scoring, train_alone
from trionet_bench.systems.alone_phases import phase_number
from trionet_bench.systems.base import PhaseResult, RunContext, SystemRunner
from trionet_bench.systems.cell import Phase
from trionet_bench.systems.correlation.system import CorrelationCell, Options
from trionet_bench.systems.cost import cost_in
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.systems.trionet.running import make_sampler, open_supernet, train_supernet_phase, work_of_supernet
from trionet_bench.systems.trionet.system import SUPERNET
from trionet_bench.systems.work import Work


class CorrelationRunner(SystemRunner[Options, ResNetSpace]):
    """Carries correlations and their phases out."""

    def check(self, cell: CorrelationCell) -> None:
        """UsageError where the space has too few networks within the budget."""
        _architectures(cell)

    def work(self, cell: CorrelationCell) -> list[Work]:
        """Every architecture scored twice, once after recalibration; and the shared statistics."""
        return [scoring(cell, fmean(map(cost_in(cell), _architectures(cell))), cell.options.architectures)]

    def phase_work(self, phase: Phase, cell: CorrelationCell) -> list[Work]:
        """The supernet's, or the training of one architecture."""
        if phase.name == SUPERNET:
            return work_of_supernet(cell)
        return alone_work(cell, cost_in(cell)(_architectures(cell)[phase_number(phase)[0]]))

    def run_phase(self, phase: Phase, cell: CorrelationCell, context: RunContext) -> PhaseResult:
        """Train the supernet, or one architecture from scratch."""
        if phase.name == SUPERNET:
            return train_supernet_phase(TrainingContext.open(cell, context))
        return train_alone(phase, cell, context, cell.space, _architectures(cell))

    def run_cell(self, cell: CorrelationCell, context: RunContext) -> CellResult:
        """Score every architecture with the supernet's weights, beside its metric when trained from scratch."""
        opened = TrainingContext.open(cell, context)
        scorer, sampler = open_supernet(opened), make_sampler(cell)

        def measured(child: Skeleton) -> float:
            return opened.measured(child, "val")

        return ranked(opened, scorer, sampler, _architectures(cell), cell.options.runs, measured, SUPERNET)


def _architectures(cell: CorrelationCell) -> list[Genes]:
    """The cell's architectures, which do not depend on its seed or supernet; more of them begin with the fewer."""
    index, options = cell.data.index, cell.options
    images = cell.data.task.outputs(index), index.channels, cell.resolution
    return _chosen(cell.space, *images, cell.budget, options.architectures, options.near)


@lru_cache(maxsize=8)  # an estimate asks for the same ones for each
def _chosen(
    space: ResNetSpace, outputs: int, channels: int, resolution: int, budget: int, count: int, near: float | None
) -> list[Genes]:
    def cost(genes: Genes) -> int:
        return architecture_macs(space.decode(genes), outputs, channels, resolution)

    if near is None:
        return spread(space, cost, budget, count)
    return drawn_near(BudgetRange.of_budget(space, cost, budget, near), count)
