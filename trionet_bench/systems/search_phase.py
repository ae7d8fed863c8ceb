"""What systems that search have in common: training a supernet, searching it under the budget, and what its best child
is worth with the supernet's weights.
"""

import time
import warnings
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from trionet_bench.jsontypes import JsonObject
from trionet_bench.networks.elastic import Supernet
from trionet_bench.records.layout import EVALUATIONS, SUPERNET_WEIGHTS
from trionet_bench.records.record import CellResult, OperatorPrior, Search
from trionet_bench.search.budget import BudgetRange
from trionet_bench.search.calibration import ChildScorer
from trionet_bench.search.chance import near_chance
from trionet_bench.search.evolution import ENGINES, Ledger, SearchResult, legal_prior
from trionet_bench.search.sampling import Sampler
from trionet_bench.search.supernet import operator_draws, probe_points, train_supernet
from trionet_bench.spaces.choice import Architecture, Genes, Space
from trionet_bench.systems.base import PhaseResult
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.training import distributed
from trionet_bench.training.checkpoint import load_weights, save_weights
from trionet_bench.training.recipe import Recipe
from trionet_bench.training.recipe_parts import SearchRecipe

O = TypeVar("O", bound=BaseModel)  # noqa: E741
S = TypeVar("S", bound=Space)


@dataclass(frozen=True)
class ChildSearch:
    """A search that was carried out.

    Args:
        scorer: has the supernet that was searched.
        at_chance: why no search was begun and ``result`` is one network drawn blindly; empty where one was.
    """

    within: BudgetRange
    proposal: Sampler
    result: SearchResult
    scorer: ChildScorer
    at_chance: str

    @property
    def space(self) -> Space:
        """What was searched."""
        return self.within.space

    @property
    def architecture(self) -> Architecture:
        """The best."""
        return self.space.decode(self.result.best)

    @property
    def ranked(self) -> list[tuple[Genes, int, float]]:
        """All that were scored, with MACs and fitness, the best first."""
        return sorted(self.result.evaluated, key=lambda child: (-child[2], -child[1], child[0]))


def train_phase(context: TrainingContext[O, S], supernet: Supernet, sampler: Sampler, recipe: Recipe) -> PhaseResult:
    """Train a supernet as a shared phase; its weights and ``history.jsonl`` are left in the folder."""
    began = time.monotonic()
    run = context.run
    batches = context.train_batches("train")
    rows = train_supernet(
        supernet,
        sampler,
        batches,
        recipe,
        child_scorer(context, supernet),
        **context.fit_files("supernet"),
    )
    if distributed.rank() == 0:
        save_weights(run.folder / SUPERNET_WEIGHTS, supernet)
    steps = len(batches) * recipe.supernet.epochs
    facts = {
        "probes": probe_points(rows, context.metric),
        "operator_draws": operator_draws(sampler, steps),
        "steps": steps,
    }
    return PhaseResult(facts, {"supernet_s": time.monotonic() - began})


def load_supernet(context: TrainingContext[O, S], supernet: Supernet, phase: str) -> ChildScorer:
    """The scorer of the children of a supernet, with the weights that a phase left."""
    supernet.load_state_dict(load_weights(context.run.inputs[phase] / SUPERNET_WEIGHTS))
    return child_scorer(context, supernet.to(context.device).eval())


def child_scorer(context: TrainingContext[O, S], supernet: Supernet) -> ChildScorer:
    """Scores children on the search-validation images, after calibration on some of the train part."""
    held_out = context.eval_batches("search_val", context.cell.recipe.search.evaluation_batch)
    return ChildScorer(supernet, context.task, context.calibration_batches(), held_out)


def search(
    context: TrainingContext[O, S],
    scorer: ChildScorer,
    supernet: str,
    proposal: Sampler,
    within: BudgetRange,
    algorithm: str,
    settings: SearchRecipe,
) -> ChildSearch:
    """Search the children of a trained supernet; scores are kept in ``evaluations.jsonl``. Where the supernet is at
    chance one child is drawn and scored, with a warning.

    Args:
        supernet: name of the phase that trained it.
        proposal: draws children, whatever trained the supernet, so that arms differ in nothing else.
        within: what a child may spend.
    """
    run, space = context.run, within.space
    at_chance = _at_chance(context, supernet) if settings.at_chance == "draw" else ""
    if at_chance:
        warnings.warn(at_chance, stacklevel=2)
        algorithm, settings = "random", settings.for_one_draw()
    result = ENGINES[algorithm](
        within,
        lambda genes: scorer.score(space.decode(genes)),
        settings,
        proposal.random,
        context.cell.seed,
        Ledger(run.folder / EVALUATIONS, writes=distributed.rank() == 0),
        lambda done, total, text: run.progress(done, total, f"search: {text}"),
    )
    return ChildSearch(within, proposal, result, scorer, at_chance)


def _at_chance(context: TrainingContext[O, S], supernet: str) -> str:
    """Why the supernet that a phase left must not be searched, or nothing."""
    points = context.run.finished(supernet).facts["probes"]
    labels = context.images.part("search_val").labels.numpy()
    chance = context.task.task.chance(labels)
    if chance is None:
        return ""
    last = max(point["epoch"] for point in points)
    probes = {point["probe"]: point[context.metric] for point in points if point["epoch"] == last}
    return near_chance(probes, chance, len(labels))


def search_facts(context: TrainingContext[O, S], done: ChildSearch, supernet: str) -> JsonObject:
    """What a search and the training of its supernet, in the phase of that name, leave in facts of a phase.

    In facts the fitness of a probe has the name of the task's metric; ``search_record`` has it as records do.
    """
    space, result, facts = done.space, done.result, context.run.finished(supernet).facts
    return {
        "evaluations": len(result.evaluated),
        "at_chance": done.at_chance or None,
        "fitness": context.cell.recipe.search.fitness,
        "acceptance_rate": result.acceptance_rate,
        "calibration_images": len(context.calibration_batches()),
        "best_by_generation": [vars(state) for state in result.generations],
        "evaluated": [
            {"macs": macs, "fitness": fitness, "operators": space.codes(genes)}
            for genes, macs, fitness in result.evaluated
        ],
        "operator_prior": [
            prior.model_dump() for prior in operator_prior(done.within, done.proposal, context.cell.seed)
        ],
        "operator_draws": facts["operator_draws"],
        "probes": facts["probes"],
    }


def operator_prior(within: BudgetRange, proposal: Sampler, seed: int) -> list[OperatorPrior]:
    """What blind draws of a proposal put where, for a record."""
    return [
        OperatorPrior(stage=stage, block=block, operator=operator, share=share)
        for stage, block, operator, share in legal_prior(within, proposal.random, seed)
    ]


def search_record(
    context: TrainingContext[O, S], facts: JsonObject, algorithm: str, sampler: str, sharing: str
) -> Search:
    """The ``search`` of a record, from ``search_facts`` and how the search was done."""
    metric = context.metric
    return Search.model_validate(
        {
            "algorithm": algorithm,
            "sampler": sampler,
            "sharing": sharing,
            **facts,
            "probes": [
                {"fitness" if key == metric else key: value for key, value in row.items()} for row in facts["probes"]
            ],
        }
    )


def with_inherited(context: TrainingContext[O, S], done: ChildSearch, result: CellResult) -> CellResult:
    """A cell's result with what the best child achieves with its supernet's weights, as they are and, where the recipe
    has it, after fine-tuning.
    """
    recipe, metric = context.cell.recipe, context.metric
    child = done.scorer.child(done.architecture)
    metrics = {
        f"inherited_val_{metric}": context.measured(child, "val"),
        f"inherited_test_{metric}": context.measured(child, "test"),
        f"search_val_{metric}": context.measured(child, "search_val"),
    }
    timings = {}
    if recipe.finetune_epochs:
        began = time.monotonic()
        context.train(child, recipe.for_finetuning(), "finetune")
        metrics[f"finetuned_test_{metric}"] = context.measured(child, "test")
        timings["finetune_s"] = time.monotonic() - began
    return result.with_measured(metrics, timings)
