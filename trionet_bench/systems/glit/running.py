"""Trains and searches both levels, and retrains what the last search chose."""

import time

from trionet_bench.jsontypes import JsonObject
from trionet_bench.networks.elastic import Naming, Supernet, equal_names
from trionet_bench.networks.sharing import FirstHeadsSharing
from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.networks.vit import names_by_candidate
from trionet_bench.records.record import CellResult, Search
from trionet_bench.search.sampling import SinglePathSampler
from trionet_bench.spaces.glit import GLiTSpace
from trionet_bench.systems.base import PhaseResult, RunContext, SystemRunner
from trionet_bench.systems.cell import Phase
from trionet_bench.systems.cost import budget_range
from trionet_bench.systems.glit.system import CHOICE, FIRST, JOINT, SECOND, GLiTCell, Options
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
from trionet_bench.systems.trials import trial_scores
from trionet_bench.systems.work import Work, candidates, evaluation, final_network, search_work, training
from trionet_bench.training.recipe import Recipe
from trionet_bench.training.recipe_parts import SearchRecipe

GLiTContext = TrainingContext[Options, GLiTSpace]


class GLiTRunner(SystemRunner[Options, GLiTSpace]):
    """Carries GLiT cells and their phases out."""

    searches = True

    def check(self, cell: GLiTCell) -> None:
        """UsageError where no network of the space fits the budget."""
        _at_width(cell)

    def work(self, cell: GLiTCell) -> list[Work]:
        """The last search and the training of what it chooses."""
        levels = cell.options.levels
        if levels == "none":
            return final_network(cell)
        extra = [candidates(cell, cell.recipe.search.generations)] if levels == "one" else []
        return [*extra, *search_work(cell), *final_network(cell)]

    def phase_work(self, phase: Phase, cell: GLiTCell) -> list[Work]:
        """A supernet's steps and probes, or the choice of the distribution: its search, then training of the best few.

        Which distribution is chosen is not known, so the second supernet counts as one over both levels.
        """
        if phase.name == CHOICE:
            one = training(cell, cell.recipe, cell.budget, "select", parts=("train",))
            compared = evaluation(cell, cell.budget, "search_val")
            return [candidates(cell, cell.recipe.search.generations), *cell.options.retrain * [one, compared]]
        space = _at_width(cell)
        sampler = SinglePathSampler(space.first_level() if phase.name == FIRST else space, cell.seed)
        return supernet_work(cell, _supernet_recipe(cell), sampler, _naming(cell))

    def run_phase(self, phase: Phase, cell: GLiTCell, context: RunContext) -> PhaseResult:
        """Train one of the supernets, or choose the distribution."""
        opened = TrainingContext.open(cell, context)
        space = _at_width(cell)
        if phase.name == CHOICE:
            return _choose_distribution(opened, space.first_level())
        if phase.name == FIRST:
            space = space.first_level()
        elif phase.name == SECOND:
            space = space.second_level(_distribution(context))
        sampler = SinglePathSampler(space, cell.seed)
        return train_phase(opened, _supernet(opened, space), sampler, _supernet_recipe(cell))

    def run_search(self, cell: GLiTCell, context: RunContext) -> CellResult:
        """Only the last search: scores are left in ``evaluations.jsonl`` for ``run_cell``."""
        done, record = _last_search(TrainingContext.open(cell, context))
        return CellResult(architecture=done.architecture.to_dict(), search=record)

    def run_cell(self, cell: GLiTCell, context: RunContext) -> CellResult:
        """The last search, then training of what it chose, from scratch and from its inherited weights."""
        opened = TrainingContext.open(cell, context)
        if cell.options.levels == "none":
            space = _at_width(cell)
            return retrain_and_describe(opened, space.plain_transformer(space.widths[0]))
        began = time.monotonic()
        done, record = _last_search(opened)
        searched = time.monotonic() - began
        result = with_inherited(opened, done, retrain_and_describe(opened, done.architecture))
        timings = {"supernet_s": 0.0, "search_s": 0.0, "select_s": 0.0}
        for phase in map(context.finished, context.inputs):
            for name in timings:
                timings[name] += phase.timings.get(name, 0.0)
        timings["search_s"] += searched
        return result.with_measured(timings=timings).model_copy(update={"search": record})


def _choose_distribution(context: GLiTContext, space: GLiTSpace) -> PhaseResult:
    """Search the first level, train its best from scratch, and choose the best; a tie goes to the fitter."""
    cell = context.cell
    began = time.monotonic()
    done, facts = _search(context, space, FIRST, cell.recipe.search)
    searched = time.monotonic()
    tried = done.ranked[: cell.options.retrain]
    scores = trial_scores(context, [genes for genes, _, _ in tried], cell.recipe.epochs, "distribution", space)
    retrained: list[JsonObject] = [
        {"macs": macs, "fitness": fitness, "operators": space.codes(genes), "fitness_alone": alone}
        for (genes, macs, fitness), (_, alone) in zip(tried, scores, strict=True)
    ]
    best = max(scores, key=lambda each: each[1])[0]
    return PhaseResult(
        {
            "distribution": [block.attending for block in space.decode(best).blocks],
            "search": {**facts, "retrained": retrained},
        },
        {"search_s": searched - began, "select_s": time.monotonic() - searched},
    )


def _last_search(context: GLiTContext) -> tuple[ChildSearch, Search]:
    """The search that chooses the network of the cell; the record's ``search`` has all levels."""
    cell, options = context.cell, context.cell.options
    settings, space = cell.recipe.search, _at_width(cell)
    if options.levels == "one":
        both = settings.model_copy(update={"generations": 2 * settings.generations})
        done, facts = _search(context, space, JOINT, both)
    else:
        done, facts = _search(context, space.second_level(_distribution(context.run)), SECOND, settings)
        facts = _both_levels(context.run.finished(CHOICE).facts["search"], facts)
    return done, search_record(context, facts, options.search, "single-path", options.sharing)


def _search(
    context: GLiTContext, space: GLiTSpace, supernet: str, settings: SearchRecipe
) -> tuple[ChildSearch, JsonObject]:
    """One search in the supernet that a phase left, and its facts."""
    cell = context.cell
    scorer = load_supernet(context, _supernet(context, space), supernet)
    proposal = SinglePathSampler(space, cell.seed)
    done = search(context, scorer, supernet, proposal, budget_range(cell, space), cell.options.search, settings)
    return done, search_facts(context, done, supernet)


def _both_levels(first: JsonObject, second: JsonObject) -> JsonObject:
    """One account of two searches. Placement was decided in the first, so prior and draws are those of the first."""
    evaluations = first["evaluations"] + second["evaluations"]
    drawn = sum(level["evaluations"] / max(level["acceptance_rate"], 1e-9) for level in (first, second))
    later = [
        {**state, "level": 2, "evaluations": first["evaluations"] + state["evaluations"]}
        for state in second["best_by_generation"]
    ]
    return {
        **first,
        "evaluations": evaluations,
        "at_chance": first["at_chance"] or second["at_chance"],
        "acceptance_rate": evaluations / drawn,
        "best_by_generation": [*first["best_by_generation"], *later],
        "evaluated": [*first["evaluated"], *({**child, "level": 2} for child in second["evaluated"])],
        "probes": [*first["probes"], *({**point, "level": 2} for point in second["probes"])],
    }


def _at_width(cell: GLiTCell) -> GLiTSpace:
    """The space at the largest width whose plain transformer fits the budget, else at its smallest; UsageError where
    nothing fits at all.
    """
    space, index = cell.space, cell.data.index
    outputs = cell.data.task.outputs(index)
    fitting = [
        width
        for width in space.widths
        if architecture_macs(space.plain_transformer(width), outputs, index.channels, cell.resolution) <= cell.budget
    ]
    chosen = space.at_width(max(fitting, default=space.widths[0]))
    budget_range(cell, chosen)
    return chosen


def _distribution(context: RunContext) -> list[int]:
    distribution: list[int] = context.finished(CHOICE).facts["distribution"]
    return distribution


def _supernet_recipe(cell: GLiTCell) -> Recipe:
    """The recipe; over both levels at once the supernet trains as long as two do."""
    if cell.options.levels == "two":
        return cell.recipe
    supernet = cell.recipe.supernet
    return cell.recipe.model_copy(update={"supernet": supernet.model_copy(update={"epochs": 2 * supernet.epochs})})


def _supernet(context: GLiTContext, space: GLiTSpace) -> Supernet:
    return Supernet(space, context.build, FirstHeadsSharing(), context.cell.seed, _naming(context.cell))


def _naming(cell: GLiTCell) -> Naming:
    return names_by_candidate if cell.options.sharing == "independent" else equal_names
