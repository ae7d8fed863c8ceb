"""What systems that search have in common: training a supernet, searching it under the budget, and what the found
network is worth with the supernet's weights.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trionet_bench.networks.elastic import Supernet
from trionet_bench.search.calibration import ChildScorer
from trionet_bench.search.evolution import ENGINES, Ledger, SearchResult, legal_prior
from trionet_bench.search.sampling import Sampler
from trionet_bench.search.supernet import operator_draws, probe_points, train_supernet
from trionet_bench.spaces.choice import Architecture, Genes, Space
from trionet_bench.systems.retraining import Bench, Unlabelled, drop_checkpoints
from trionet_bench.training import distributed
from trionet_bench.training.checkpoint import load_weights, save_weights
from trionet_bench.training.recipe import Recipe, SearchRecipe

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Found:
    """What one search found, and how; ``scorer`` has the supernet that it searched."""

    space: Space
    result: SearchResult
    scorer: ChildScorer

    @property
    def architecture(self) -> Architecture:
        """The best."""
        return self.space.decode(self.result.best)

    @property
    def ranked(self) -> list[tuple[Genes, int, float]]:
        """All that were scored, with MACs and fitness, in the order of the search: the best first."""
        return sorted(self.result.evaluated, key=lambda child: (-child[2], -child[1], child[0]))


def train_phase(bench: Bench, supernet: Supernet, sampler: Sampler, recipe: Recipe) -> dict[str, Any]:
    """Train a supernet as a shared phase; leaves its weights and ``history.jsonl``, returns the phase's facts."""
    began = time.monotonic()
    workplace = bench.workplace
    batches = bench.train_batches("train")
    rows = train_supernet(
        supernet,
        sampler,
        batches,
        recipe,
        child_scorer(bench, supernet),
        seed=bench.cell.seed,
        device=bench.device,
        checkpoint=workplace.folder / "supernet.checkpoint",
        history=workplace.folder / "history.jsonl",
        progress=lambda done, total, text: workplace.progress(done, total, f"supernet: {text}"),
    )
    if distributed.rank() == 0:
        save_weights(workplace.folder / WEIGHTS, supernet)
    drop_checkpoints(workplace.folder)
    steps = len(batches) * recipe.supernet.epochs
    return {
        "probes": probe_points(rows),
        "operator_draws": operator_draws(sampler, steps),
        "steps": steps,
        "timings": {"supernet_s": time.monotonic() - began},
    }


def trained(bench: Bench, supernet: Supernet, phase: str) -> ChildScorer:
    """The scorer of the children of a supernet, with the weights that a phase left."""
    supernet.load_state_dict(load_weights(bench.workplace.inputs[phase] / WEIGHTS))
    return child_scorer(bench, supernet.to(bench.device).eval())


def child_scorer(bench: Bench, supernet: Supernet) -> ChildScorer:
    """Scores children on the search-validation images, after calibration on some of the train part."""
    recipe = bench.cell.recipe
    held_out = bench.eval_batches("search_val", recipe.search.evaluation_batch)
    return ChildScorer(supernet, _calibration(bench), held_out, bench.device, recipe.precision)


def _calibration(bench: Bench) -> Unlabelled:
    settings = bench.cell.recipe.search
    return bench.calibration_batches(settings.calibration_images, settings.calibration_batch)


def search(
    bench: Bench,
    scorer: ChildScorer,
    sampler: Sampler,
    cost: Callable[[Genes], int],
    algorithm: str,
    settings: SearchRecipe,
) -> Found:
    """Search the children of a trained supernet under the cell's budget; scores are kept in ``evaluations.jsonl``."""
    workplace, space = bench.workplace, sampler.space
    result = ENGINES[algorithm](
        space,
        cost,
        lambda genes: scorer.score(space.decode(genes)),
        bench.cell.budget,
        settings,
        sampler.random,
        bench.cell.seed,
        Ledger(workplace.folder / "evaluations.jsonl", writes=distributed.rank() == 0),
        lambda done, total, text: workplace.progress(done, total, f"search: {text}"),
    )
    return Found(space, result, scorer)


def search_fields(
    bench: Bench, found: Found, sampler: Sampler, cost: Callable[[Genes], int], supernet: str
) -> dict[str, Any]:
    """What a record says of one search, and of the training of its supernet in the phase of that name."""
    space, result, facts = found.space, found.result, bench.workplace.finished(supernet).facts
    return {
        "evaluations": len(result.evaluated),
        "acceptance_rate": result.acceptance_rate,
        "calibration_images": len(_calibration(bench)),
        "best_by_generation": [vars(state) for state in result.generations],
        "evaluated": [
            {"macs": macs, "fitness": fitness, "operators": space.codes(genes)}
            for genes, macs, fitness in result.evaluated
        ],
        "operator_prior": [
            {"stage": stage, "block": block, "operator": operator, "share": share}
            for stage, block, operator, share in legal_prior(
                space, cost, bench.cell.budget, sampler.random, bench.cell.seed
            )
        ],
        "operator_draws": facts["operator_draws"],
        "probes": [neutral(point, top1="fitness") for point in facts["probes"]],
    }


def neutral(value: dict[str, Any], **names: str) -> dict[str, Any]:
    """Facts of a phase under the names that a record has for them."""
    return {names.get(name, name): item for name, item in value.items()}


def add_inherited(bench: Bench, found: Found, fields: dict[str, Any]) -> None:
    """Add to a record's fields what the found network achieves with its supernet's weights, as they are and after
    fine-tuning where the recipe has it.
    """
    child = found.scorer.child(found.architecture)
    fields["metrics"] |= {
        "inherited_val_top1": bench.evaluate(child, "val").top1,
        "inherited_test_top1": bench.evaluate(child, "test").top1,
        "search_val_top1": max(fitness for _, _, fitness in found.result.evaluated),
    }
    if bench.cell.recipe.finetune_epochs:
        began = time.monotonic()
        bench.train(child, bench.cell.recipe.for_finetuning(), "finetune")
        fields["metrics"]["finetuned_test_top1"] = bench.evaluate(child, "test").top1
        fields["timings"]["finetune_s"] = time.monotonic() - began
