"""Trains the supernet on images alone, or with their labels, searches it, and trains what the search chose."""

import time
from dataclasses import replace
from functools import lru_cache
from statistics import median
from typing import TypeVar

from trionet_bench.errors import UsageError
from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.resnet import names_by_window
from trionet_bench.networks.sharing import MultiHeadSharing
from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.randomness import derived_generator
from trionet_bench.records.layout import HISTORY, PRETEXT
from trionet_bench.records.record import CellResult, Search
from trionet_bench.search.calibration import ChildScorer
from trionet_bench.search.evolution import random_search
from trionet_bench.search.sampling import SinglePathSampler
from trionet_bench.spaces.choice import Architecture, Genes
from trionet_bench.spaces.fab import FabSpace
from trionet_bench.systems.base import PhaseResult, RunContext, SystemRunner
from trionet_bench.systems.cell import Cell, Phase
from trionet_bench.systems.cost import budget_range
from trionet_bench.systems.fab.relaxed import chosen, relaxed_work, train_relaxed
from trionet_bench.systems.fab.system import SCORED, FabCell, Options, SupernetOptions, relaxed_phase, supernet_phase
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
from trionet_bench.systems.work import Work, final_network, images_in, search_work
from trionet_bench.tasks.runner import make_runner
from trionet_bench.training import distributed
from trionet_bench.training.history import read_history, restart_phase

FabContext = TrainingContext[Options, FabSpace]
F = TypeVar("F", bound=SupernetOptions)
_DRAWS = 64  # random networks that stand for a space


class FabRunner(SystemRunner[Options, FabSpace]):
    """Carries FAB-NAS cells and their supernets out."""

    searches = True

    def check(self, cell: Cell[Options, FabSpace]) -> None:
        """UsageError where no network of the space fits the budget, images cannot be cut into patches, or the optimizer
        of the recipe hardly moves the softmax of a search by gradients.
        """
        at_scale(cell)
        if cell.options.search == "gradient" and cell.recipe.optimizer.name == "sgd":
            raise UsageError(
                f'model "{cell.model}": a search by gradients needs steps that do not shrink with the gradient of the '
                "operators, which is tiny; give it a recipe whose optimizer is adamw."
            )
        if cell.options.objective == "context" and cell.options.search not in ("macs", "none"):
            cell.options.pretext.layout(cell.resolution)

    def work(self, cell: Cell[Options, FabSpace]) -> list[Work]:
        """The search, where there is one, and the training of what it chooses."""
        searched = search_work(cell) if cell.options.search in SCORED else []
        without_labels = cell.options.objective == "context"
        kept = [work for work in searched if not (without_labels and work.what == "finetune")]
        return [*kept, *final_network(cell)]

    def phase_work(self, phase: Phase, cell: Cell[Options, FabSpace]) -> list[Work]:
        """The supernet's steps and its probes, without the decoder."""
        if cell.options.search == "gradient":
            epochs, images = cell.recipe.supernet.epochs, images_in(cell, ("train",))
            return relaxed_work(images_of(cell), at_scale(cell), epochs, images)
        return work_of_supernet(cell)

    def run_phase(self, phase: Phase, cell: Cell[Options, FabSpace], context: RunContext) -> PhaseResult:
        """Train the supernet, or all operators at once; leaves ``history.jsonl``, and weights of a supernet."""
        opened = TrainingContext.open(cell, context)
        if cell.options.search == "gradient":
            return train_relaxed(searching(opened), at_scale(cell))
        return train_supernet_phase(opened)

    def run_search(self, cell: Cell[Options, FabSpace], context: RunContext) -> CellResult:
        """Only the search: scores are left in ``evaluations.jsonl`` for ``run_cell``; UsageError where none are."""
        how = cell.options.search
        if how not in SCORED:
            raise UsageError(f'model "{cell.model}" scores no networks, since its search is {how}; run it whole.')
        done, record = _search(searching(TrainingContext.open(cell, context)))
        return CellResult(architecture=done.architecture.to_dict(), search=record)

    def run_cell(self, cell: Cell[Options, FabSpace], context: RunContext) -> CellResult:
        """Search, then train what was found from scratch for the task of the data set."""
        opened = TrainingContext.open(cell, context)
        if cell.options.search in SCORED:
            return _best_child(opened)
        if cell.options.search == "gradient":
            return _most_probable(opened)
        return retrain_and_describe(opened, _unsearched(cell))


def _best_child(context: FabContext) -> CellResult:
    """The best child of the supernet, trained from scratch, with what it achieves with the supernet's weights."""
    guided, phase = searching(context), supernet_phase(context.cell).name
    began = time.monotonic()
    done, record = _search(guided)
    searched = time.monotonic() - began
    result = retrain_and_describe(context, done.architecture)
    if context.cell.options.objective == "labels":
        result = with_inherited(context, done, result)
    else:
        child, metric = done.scorer.child(done.architecture), guided.metric
        parts = ("search_val", "val", "test")
        result = result.with_measured({f"pretext_{part}_{metric}": guided.measured(child, part) for part in parts})
        _keep_history(context.run, phase)
    timings = {"search_s": searched, "supernet_s": context.run.finished(phase).timings["supernet_s"]}
    return result.with_measured(timings=timings).model_copy(update={"search": record})


def _most_probable(context: FabContext) -> CellResult:
    """The most probable operators, trained from scratch."""
    cell, phase = context.cell, relaxed_phase(context.cell).name
    within = budget_range(cell, at_scale(cell))
    without_labels = cell.options.objective == "context"
    genes, record = chosen(context, within, cell.options.pretext.name if without_labels else None)
    result = retrain_and_describe(context, within.space.decode(genes))
    if without_labels:
        _keep_history(context.run, phase)
    timings = {"supernet_s": context.run.finished(phase).timings["supernet_s"]}
    return result.with_measured(timings=timings).model_copy(update={"search": record})


def _unsearched(cell: Cell[Options, FabSpace]) -> Architecture:
    """What is taken without a supernet: local attention everywhere, at the largest scale that fits; or the most
    expensive of as many random networks as a search scores.
    """
    space = at_scale(cell)
    if cell.options.search == "none":
        images = images_of(cell)
        networks = [cell.space.all_local(scale) for scale in cell.space.scales]
        fitting = [network for network in networks if architecture_macs(network, *images) <= cell.budget]
        return fitting[-1] if fitting else networks[0]
    within = budget_range(cell, space)
    draw = SinglePathSampler(space, cell.seed).random
    return space.decode(random_search(within, within.cost, cell.recipe.search, draw, cell.seed).best)


def _search(context: FabContext) -> tuple[ChildSearch, Search]:
    """Search under the cell's budget, for the task of the context; with the record's ``search``."""
    cell, options = context.cell, context.cell.options
    space, phase = at_scale(cell), supernet_phase(cell).name
    proposal = SinglePathSampler(space, cell.seed)
    within = budget_range(cell, space)
    done = search(context, open_supernet(context), phase, proposal, within, options.search, cell.recipe.search)
    facts = search_facts(context, done, phase)
    if options.objective == "context":
        facts["pretext"] = options.pretext.name
    return done, search_record(context, facts, options.search, "single-path", "independent")


def _keep_history(context: RunContext, phase: str) -> None:
    """The supernet's loss by epoch beside that of the network."""
    if distributed.rank() == 0:
        rows = read_history(context.inputs[phase] / HISTORY)
        restart_phase(context.folder / HISTORY, PRETEXT, [row | {"phase": PRETEXT} for row in rows])


# Of a supernet, whatever it is used for.


def images_of(cell: FabCell) -> tuple[int, int, int]:
    """Outputs, channels and side of the images, on which MACs depend."""
    index = cell.data.index
    return cell.data.task.outputs(index), index.channels, cell.resolution


def at_scale(cell: FabCell) -> FabSpace:
    """The space at the largest scale at which half of its networks fit the budget, else at its smallest; UsageError
    where nothing fits at all.
    """
    chosen = _at_scale(cell.space, images_of(cell), cell.budget)
    budget_range(cell, chosen)
    return chosen


def macs_in(space: FabSpace, genes: Genes, images: tuple[int, int, int]) -> int:
    """MACs of a network for ``images_of`` a cell."""
    return architecture_macs(space.decode(genes), *images)


@lru_cache(maxsize=64)  # an estimate asks for it again and again
def _at_scale(space: FabSpace, images: tuple[int, int, int], budget: int) -> FabSpace:
    generator = derived_generator(0, "scale")
    draws = [space.random(generator) for _ in range(_DRAWS)]

    def typical(scale: int) -> float:
        return median(macs_in(space, (scale, *genes[1:]), images) for genes in draws)

    fitting = [number for number in range(len(space.scales)) if typical(number) <= budget]
    return space.at_scale(space.scales[max(fitting, default=0)])


def searching(context: TrainingContext[F, FabSpace]) -> TrainingContext[F, FabSpace]:
    """The context with the task that the supernet is trained for."""
    cell = context.cell
    if cell.options.objective == "labels":
        return context
    index, of = cell.data.index, context.task
    return replace(
        context, task=make_runner(cell.options.pretext, index, cell.resolution, cell.recipe, of.seed, of.device)
    )


def train_supernet_phase(context: TrainingContext[SupernetOptions, FabSpace]) -> PhaseResult:
    """Train the supernet that the cell's options describe."""
    cell, guided = context.cell, searching(context)
    return train_phase(guided, _supernet(guided), SinglePathSampler(at_scale(cell), cell.seed), cell.recipe)


def open_supernet(context: TrainingContext[SupernetOptions, FabSpace]) -> ChildScorer:
    """The trained supernet among the cell's inputs, as the scorer of its children; the context is of ``searching``."""
    return load_supernet(context, _supernet(context), supernet_phase(context.cell).name)


def work_of_supernet(cell: FabCell) -> list[Work]:
    """Estimated compute of training the supernet that the cell's options describe."""
    return supernet_work(cell, cell.recipe, SinglePathSampler(at_scale(cell), cell.seed), names_by_window)


def _supernet(context: TrainingContext[SupernetOptions, FabSpace]) -> Supernet:
    cell = context.cell
    return Supernet(at_scale(cell), context.build, MultiHeadSharing(), cell.seed, names_by_window)
