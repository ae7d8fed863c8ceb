"""Trains the supernet, searches it, and retrains what the search chose."""

import time

from trionet_bench.networks.elastic import Naming, Supernet, equal_names
from trionet_bench.networks.resnet import names_by_operator
from trionet_bench.networks.sharing import SHARINGS
from trionet_bench.records.record import CellResult, Search
from trionet_bench.search.budget import BudgetRange
from trionet_bench.search.calibration import ChildScorer
from trionet_bench.search.sampling import FairSampler, HierarchicalSampler, Sampler, UniformSampler
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.base import PhaseResult, RunContext, SystemRunner
from trionet_bench.systems.cell import Cell, Phase
from trionet_bench.systems.cost import budget_range, cost_in
from trionet_bench.systems.retraining import retrain_and_describe
from trionet_bench.systems.search_phase import (
    ChildSearch,
    load_supernet,
    search,
    search_facts,
    search_record,
    train_phase,
    with_inherited,
)
from trionet_bench.systems.supernet_work import supernet_work
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.systems.trionet.system import SUPERNET, Options, SupernetCell, SupernetOptions, supernet_recipe
from trionet_bench.systems.work import Work, final_network, search_work

TrioNetCell = Cell[Options, ResNetSpace]


class TrioNetRunner(SystemRunner[Options, ResNetSpace]):
    """Carries TrioNet cells and their supernets out."""

    searches = True

    def check(self, cell: TrioNetCell) -> None:
        """UsageError where no network of the space fits the budget."""
        budget_range(cell)

    def work(self, cell: TrioNetCell) -> list[Work]:
        """The search and the training of what it chooses."""
        return [*search_work(cell), *final_network(cell)]

    def phase_work(self, phase: Phase, cell: TrioNetCell) -> list[Work]:
        """The supernet's steps and its probes."""
        return work_of_supernet(cell)

    def run_phase(self, phase: Phase, cell: TrioNetCell, context: RunContext) -> PhaseResult:
        """Train the supernet; leaves its weights and ``history.jsonl``."""
        return train_supernet_phase(TrainingContext.open(cell, context))

    def run_search(self, cell: TrioNetCell, context: RunContext) -> CellResult:
        """Only the search: scores are left in ``evaluations.jsonl`` for ``run_cell``."""
        done, record = _search(TrainingContext.open(cell, context))
        return CellResult(architecture=done.architecture.to_dict(), search=record)

    def run_cell(self, cell: TrioNetCell, context: RunContext) -> CellResult:
        """Search in the trained supernet, then train the best child from scratch and from its inherited weights."""
        training = TrainingContext.open(cell, context)
        began = time.monotonic()
        done, record = _search(training)
        searched = time.monotonic() - began
        result = with_inherited(training, done, retrain_and_describe(training, done.architecture))
        supernet_s = context.finished(SUPERNET).timings["supernet_s"]
        return result.with_measured(timings={"search_s": searched, "supernet_s": supernet_s}).model_copy(
            update={"search": record}
        )


def _search(context: TrainingContext[Options, ResNetSpace]) -> tuple[ChildSearch, Search]:
    """Search under the cell's budget; with the record's ``search``."""
    cell, options = context.cell, context.cell.options
    proposal = HierarchicalSampler(cell.space, cell.seed)
    scorer, within = open_supernet(context), budget_range(cell)
    done = search(context, scorer, SUPERNET, proposal, within, options.search, cell.recipe.search)
    facts = search_facts(context, done, SUPERNET)
    return done, search_record(context, facts, options.search, options.sampler, options.sharing)


def train_supernet_phase(context: TrainingContext[SupernetOptions, ResNetSpace]) -> PhaseResult:
    """Train the supernet that the cell's options describe."""
    cell = context.cell
    return train_phase(context, make_supernet(context), make_sampler(cell), supernet_recipe(cell))


def open_supernet(context: TrainingContext[SupernetOptions, ResNetSpace]) -> ChildScorer:
    """The trained supernet among the cell's inputs, as the scorer of its children."""
    return load_supernet(context, make_supernet(context), SUPERNET)


def work_of_supernet(cell: SupernetCell) -> list[Work]:
    """Estimated compute of training the supernet that the cell's options describe."""
    return supernet_work(cell, supernet_recipe(cell), make_sampler(cell), _naming(cell))


def make_sampler(cell: SupernetCell) -> Sampler:
    """The sampler that the cell's options describe."""
    options, least, most = cell.options, *cell.served
    within = None
    if options.children == "budget":
        share, cost = cell.recipe.search.least_share, cost_in(cell)
        within = BudgetRange(cell.space, cost, BudgetRange.of_budget(cell.space, cost, least, share).least, most)
    common = cell.space, cell.seed, cell.recipe.supernet.random_children, options.sandwich, within
    if options.sampler == "uniform":
        return UniformSampler(*common)
    kind = FairSampler if options.sampler == "fair" else HierarchicalSampler
    return kind(*common, options.operator_level)


def make_supernet(context: TrainingContext[SupernetOptions, ResNetSpace]) -> Supernet:
    """The supernet that the cell's options describe, with its initial weights."""
    cell = context.cell
    sharing = SHARINGS[cell.options.sharing]()
    return Supernet(cell.space, context.build, sharing, cell.seed, _naming(cell))


def _naming(cell: SupernetCell) -> Naming:
    return names_by_operator if cell.options.pointwise == "separate" else equal_names
