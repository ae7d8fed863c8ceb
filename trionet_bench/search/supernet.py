"""Training a supernet: a step trains a few children on one batch; their gradients make one optimizer step."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

import torch
from torch import Tensor

from trionet_bench.jsontypes import JsonObject
from trionet_bench.networks.elastic import Supernet
from trionet_bench.randomness import derived_generator
from trionet_bench.search.calibration import ChildScorer
from trionet_bench.search.sampling import Role, Sampler
from trionet_bench.spaces.choice import Genes, Space
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.runner import TaskRunner
from trionet_bench.training.device import autocast
from trionet_bench.training.history import HistoryRow
from trionet_bench.training.loop import Batches, FitFiles, fit
from trionet_bench.training.recipe import Recipe


@dataclass(frozen=True)
class SupernetStep:
    """Forward and backward of one step, for ``training.loop.fit``.

    The biggest child minimises the task's loss; with distillation the others learn only from its outputs, as in
    AttentiveNAS (the TrioNet paper does not say; our choice). The gradient is that of the mean over the children (our
    choice); a scale of the loss has no effect under AdamW but for clipping. Reported are the loss of the first child,
    the biggest where there is one, and the mean of each role.
    """

    supernet: Supernet
    sampler: Sampler
    recipe: Recipe
    task: TaskRunner[Task]

    def __call__(self, images: Tensor, targets: Tensor, number: int) -> Mapping[str, Tensor | float]:
        children = self.sampler.draw(number)
        inputs, targets = self.task.views(images, targets, number)
        teacher: Tensor | None = None
        losses: dict[Role, list[Tensor]] = {}
        for child in children:
            with autocast(self.task.device, self.recipe.precision):
                outputs: Tensor = self.supernet(inputs, self.sampler.space.decode(child.genes))
            outputs = outputs.float()
            if teacher is not None and child.role != "biggest":
                loss = self.task.distillation_loss(outputs, teacher, self.recipe.supernet.temperature)
            else:
                loss = self.task.loss(outputs, targets)
            (loss / len(children)).backward()
            if child.role == "biggest" and self.recipe.supernet.distillation:
                teacher = outputs.detach()
            losses.setdefault(child.role, []).append(loss.detach())
        by_role = {f"loss_{role}": torch.stack(of_role).mean() for role, of_role in losses.items()}
        return {"loss": next(iter(losses.values()))[0], **by_role}


def operator_draws(sampler: Sampler, steps: int) -> dict[str, int]:
    """How often ``steps`` steps of training train each operator, over blocks and children."""
    counts: Counter[str] = Counter()
    space = sampler.space
    for step in range(steps):
        for child in sampler.draw(step):
            counts.update(part for option in space.operators_in(child.genes) for part in space.parts(option))
    return dict(sorted(counts.items()))


def probes(space: Space, seed: int, random_children: int = 3) -> dict[str, Genes]:
    """Fixed children whose fitness is measured several times during training.

    The smallest and largest by options under the first operator, for every operator that all blocks may have a
    middle-sized network of only that operator, and some random ones that depend on the seed only.
    """
    everywhere = space.everywhere
    first = space.operators_set_to(everywhere[0]) if everywhere else {}
    named = {"smallest": space.extreme(first, biggest=False), "largest": space.extreme(first, biggest=True)}
    for operator in everywhere:
        named[f"all-{operator}"] = space.middle(space.operators_set_to(operator))
    for number in range(random_children):
        named[f"random-{number + 1}"] = space.random(derived_generator(seed, "probe", number))
    return named


@dataclass(frozen=True)
class ProbeCurves:
    """Scores the probes a few times during training; called at the end of every epoch."""

    scorer: ChildScorer
    children: Mapping[str, Genes]
    epochs: int
    times: int = 4

    def __call__(self, epoch: int, row: HistoryRow) -> HistoryRow | None:
        due = {max(1, round(self.epochs * part / self.times)) for part in range(1, self.times + 1)}
        if epoch not in due:
            return None
        space = self.scorer.supernet.space
        return {"probes": {name: self.scorer.metric(space.decode(genes)) for name, genes in self.children.items()}}


def probe_points(rows: Sequence[HistoryRow], metric: str) -> list[JsonObject]:
    """The probes' curves as points ``{epoch, probe, METRIC}``, from the rows that training leaves."""
    return [
        {"epoch": row["epoch"], "probe": name, metric: value}
        for row in rows
        for name, value in row.get("probes", {}).items()
    ]


def train_supernet(
    supernet: Supernet,
    sampler: Sampler,
    batches: Batches,
    recipe: Recipe,
    scorer: ChildScorer,
    **files: Unpack[FitFiles],
) -> list[HistoryRow]:
    """Train in place by the recipe's supernet part; returns the history's rows, some of them with ``probes``.

    Args:
        scorer: scores the probes; its task is what the children are trained for.
        files: of ``training.loop.fit``.
    """
    recipe, task = recipe.for_supernet(), scorer.task
    return fit(
        supernet,
        batches,
        recipe,
        seed=task.seed,
        device=task.device,
        step=SupernetStep(supernet, sampler, recipe, task),
        on_epoch_end=ProbeCurves(scorer, probes(supernet.space, task.seed), recipe.epochs),
        phase="supernet",
        **files,
    )
