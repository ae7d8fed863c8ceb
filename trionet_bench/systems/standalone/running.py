"""Scales, trains and tests a stand-alone network."""

import time
from itertools import product

from trionet_bench.errors import UsageError
from trionet_bench.records.record import CellResult
from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.operators import OPERATORS, options_of
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.base import RunContext, SystemRunner
from trionet_bench.systems.cell import Cell
from trionet_bench.systems.cost import cost_in
from trionet_bench.systems.retraining import retrain_and_describe
from trionet_bench.systems.scaling import scale_to_budget
from trionet_bench.systems.standalone.system import Options
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.systems.trials import trial_scores
from trionet_bench.systems.work import Work, evaluation, final_network, training

StandaloneCell = Cell[Options, ResNetSpace]


class StandaloneRunner(SystemRunner[Options, ResNetSpace]):
    """Carries stand-alone cells out."""

    def check(self, cell: StandaloneCell) -> None:
        """UsageError where the budget or an option does not fit the space."""
        _candidates(cell)

    def work(self, cell: StandaloneCell) -> list[Work]:
        """The networks of which one is chosen, and its training."""
        tried = len(_candidates(cell)) if cell.options.choose else 1
        one = training(cell, cell.recipe.scaled(_trial_epochs(cell)), cell.budget, "select", parts=("train",))
        compared = evaluation(cell, cell.budget, "search_val")
        return [*(tried * [one, compared] if tried > 1 else []), *final_network(cell)]

    def run_cell(self, cell: StandaloneCell, context: RunContext) -> CellResult:
        """Scale, train from scratch, test."""
        opened = TrainingContext.open(cell, context)
        tried, began = _candidates(cell), time.monotonic()
        chosen = tried[0]
        if len(tried) > 1:
            scores = trial_scores(opened, tried, _trial_epochs(cell), "options")
            chosen = max(scores, key=lambda each: each[1])[0]
        selected = time.monotonic() - began
        result = retrain_and_describe(opened, cell.space.decode(chosen))
        return result.with_measured(timings={"select_s": selected}) if len(tried) > 1 else result


def _candidates(cell: StandaloneCell) -> list[Genes]:
    """The networks among which the cell chooses, each scaled to the budget; one where nothing is to be chosen.

    UsageError where none fits.
    """
    options, space, cost = cell.options, cell.space, cost_in(cell)
    known = options_of(map(OPERATORS.get, options.operators))
    values = [space.dimensions[known[name].dimension] for name in options.choose]
    networks: dict[Genes, None] = {}
    refused: UsageError | None = None
    for combination in product(*values):
        asked = options.asked | dict(zip(options.choose, combination, strict=True))
        try:
            scaled = scale_to_budget(space, options.operators, asked, cost, cell.budget, options.local_terms)
        except UsageError as error:  # this value is too expensive, another may fit
            refused = error
            continue
        networks[scaled] = None
    if not networks and refused is not None:
        raise refused
    return list(networks)


def _trial_epochs(cell: StandaloneCell) -> int:
    return max(1, cell.recipe.epochs // 2)
