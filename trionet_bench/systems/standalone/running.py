"""Scales, trains and tests a stand-alone network."""

from trionet_bench.records.record import CellResult
from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.base import RunContext, SystemRunner
from trionet_bench.systems.cell import Cell
from trionet_bench.systems.cost import cost_in
from trionet_bench.systems.retraining import retrain_and_describe
from trionet_bench.systems.scaling import scale_to_budget
from trionet_bench.systems.standalone.system import Options
from trionet_bench.systems.training_context import TrainingContext

StandaloneCell = Cell[Options, ResNetSpace]


class StandaloneRunner(SystemRunner[Options, ResNetSpace]):
    """Carries stand-alone cells out."""

    def check(self, cell: StandaloneCell) -> None:
        """UsageError where the budget or an option does not fit the space."""
        _scaled(cell)

    def run_cell(self, cell: StandaloneCell, context: RunContext) -> CellResult:
        """Scale, train from scratch, test."""
        training = TrainingContext.open(cell, context)
        result = retrain_and_describe(training, cell.space.decode(_scaled(cell)))
        training.drop_checkpoints()
        return result


def _scaled(cell: StandaloneCell) -> Genes:
    options = cell.options
    cost = cost_in(cell)
    return scale_to_budget(cell.space, options.operators, options.asked, cost, cell.budget, options.local_terms)
