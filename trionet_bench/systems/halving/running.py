"""Trains the networks of each rung, and retrains the best of the last."""

import time
from dataclasses import dataclass, replace

from trionet_bench.records.record import CellResult, Evaluated, Generation, Search
from trionet_bench.search.sampling import HierarchicalSampler
from trionet_bench.search.spreading import networks_near
from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.base import RunContext, SystemRunner
from trionet_bench.systems.cell import Cell
from trionet_bench.systems.cost import budget_range
from trionet_bench.systems.halving.system import Options
from trionet_bench.systems.retraining import retrain_and_describe
from trionet_bench.systems.search_phase import operator_prior
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.systems.trials import trial_scores
from trionet_bench.systems.trionet.running import work_of_supernet
from trionet_bench.systems.trionet.system import SupernetCell, SupernetOptions, TrioNet
from trionet_bench.systems.work import Work, candidates, evaluation, final_network, training

HalvingCell = Cell[Options, ResNetSpace]


@dataclass(frozen=True)
class Rung:
    """How many networks are trained for how many epochs each."""

    networks: int
    epochs: int


class HalvingRunner(SystemRunner[Options, ResNetSpace]):
    """Carries successive halving out."""

    def check(self, cell: HalvingCell) -> None:
        """UsageError where no network of the space fits the budget."""
        budget_range(cell)

    def work(self, cell: HalvingCell) -> list[Work]:
        """The networks of every rung, and the training of the best."""
        return [*(part for rung in rungs(cell) for part in _work_of(cell, rung)), *final_network(cell)]

    def run_cell(self, cell: HalvingCell, context: RunContext) -> CellResult:
        """Halve until the last rung, then train the best on train and search-validation images."""
        training_context = TrainingContext.open(cell, context)
        began = time.monotonic()
        best, search = _halve(training_context)
        searched = time.monotonic() - began
        result = retrain_and_describe(training_context, cell.space.decode(best))
        return result.with_measured(timings={"search_s": searched}).model_copy(update={"search": search})


def rungs(cell: HalvingCell) -> list[Rung]:
    """The rungs of a cell. The last trains as long as the recipe, each before it shorter by the factor."""
    options = cell.options
    epochs = [max(1, round(cell.recipe.epochs / options.factor**step)) for step in reversed(range(options.rungs))]

    def beginning_with(networks: int) -> list[Rung]:
        return [Rung(max(1, networks // options.factor**step), trained) for step, trained in enumerate(epochs)]

    if options.networks is not None:
        return beginning_with(options.networks)
    paid, networks = compute_of_search(cell), 1
    while _total(cell, beginning_with(networks + 1)) <= paid:
        networks += 1
    return beginning_with(networks)


def compute_of_search(cell: HalvingCell) -> float:
    """MACs of a ``trionet`` model in place of this one: its share of the supernet, which serves all budgets of the
    suite, and its search.
    """
    budgets = cell.options.budgets or (cell.budget,)
    supernet_cell: SupernetCell = Cell(
        **{name: value for name, value in vars(cell).items() if name not in ("system", "options", "budgets")},
        system=TrioNet.name,
        options=SupernetOptions(),
        budgets=budgets,
    )
    supernet = work_of_supernet(supernet_cell)
    search = candidates(cell, cell.recipe.search.generations)
    return sum(work.total_macs for work in supernet) / len(budgets) + search.total_macs


def _total(cell: HalvingCell, planned: list[Rung]) -> float:
    return sum(work.total_macs for rung in planned for work in _work_of(cell, rung))


def _work_of(cell: HalvingCell, rung: Rung) -> list[Work]:
    recipe = cell.recipe.scaled(rung.epochs)
    one = [training(cell, recipe, cell.budget, "select", parts=("train",)), evaluation(cell, cell.budget, "search_val")]
    return [replace(work, images=rung.networks * work.images) for work in one]


def _halve(context: TrainingContext[Options, ResNetSpace]) -> tuple[Genes, Search]:
    """The best network of the last rung, and the record's ``search``, whose levels are the rungs."""
    cell, within = context.cell, budget_range(context.cell)
    planned = rungs(cell)
    left = networks_near(within, planned[0].networks, cell.seed) or [within.largest]
    evaluated: list[Evaluated] = []
    generations: list[Generation] = []
    for number, rung in enumerate(planned, start=1):
        scored = trial_scores(context, left[: rung.networks], rung.epochs, f"rung-{number}")
        for genes, fitness in scored:
            codes = cell.space.codes(genes)
            evaluated.append(Evaluated(macs=within.cost(genes), fitness=fitness, operators=codes, level=number))
        ranked = sorted(scored, key=lambda each: (-each[1], -within.cost(each[0]), each[0]))
        left, best = [genes for genes, _ in ranked], ranked[0]
        state = {"generation": number - 1, "evaluations": len(evaluated), "level": number}
        generations.append(Generation(best_fitness=best[1], best_macs=within.cost(best[0]), **state))
    sampler = HierarchicalSampler(cell.space, cell.seed)
    return left[0], Search(
        algorithm="halving",
        sampler="hierarchical",
        sharing="none",
        evaluations=len(evaluated),
        fitness=cell.recipe.search.fitness,
        acceptance_rate=1.0,
        calibration_images=0,
        best_by_generation=generations,
        evaluated=evaluated,
        operator_prior=operator_prior(within, sampler, cell.seed),
        operator_draws={},
        probes=[],
    )
