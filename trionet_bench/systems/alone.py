"""What correlations have in common: architectures that are trained alone, and scored with the weights of a supernet."""

import time
from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import Literal, TypeVar

from pydantic import BaseModel

from trionet_bench.networks.layers import initialise
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.randomness import derived_seed
from trionet_bench.records.layout import NOT_RECALIBRATED, RECALIBRATED
from trionet_bench.records.record import CellResult, Ranked
from trionet_bench.search.calibration import ChildScorer, share_statistics
from trionet_bench.search.evolution import Ledger
from trionet_bench.search.sampling import Sampler
from trionet_bench.spaces.choice import Genes, Space
from trionet_bench.systems.alone_phases import phase_name, phase_number
from trionet_bench.systems.base import PhaseResult, RunContext
from trionet_bench.systems.cell import AnyCell, Phase
from trionet_bench.systems.retraining import describe
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.systems.work import Work, calibration_images, evaluation, images_in, training
from trionet_bench.training import distributed

O = TypeVar("O", bound=BaseModel)  # noqa: E741
S = TypeVar("S", bound=Space)
STATISTICS_CHILDREN = 32  # children whose batch-norm statistics are averaged


def alone_work(cell: AnyCell, macs: int) -> list[Work]:
    """Estimated compute of training one architecture of this cost."""
    return [training(cell, cell.recipe, macs, "alone"), evaluation(cell, macs, "val")]


def scoring(cell: AnyCell, macs: float, architectures: int) -> Work:
    """Every architecture scored twice, once after recalibration; and the shared statistics."""
    calibration = calibration_images(cell)
    scored = architectures * (calibration + 2 * images_in(cell, ("val",)))
    return Work("evaluate", scored + STATISTICS_CHILDREN * calibration, macs)


def train_alone(
    phase: Phase, cell: AnyCell, context: RunContext, space: Space, architectures: Sequence[Genes]
) -> PhaseResult:
    """Train the architecture of a phase from scratch; its metric on the validation images is among the facts."""
    began = time.monotonic()
    number, run = phase_number(phase)
    seed = derived_seed(cell.seed, "run", run) if run else cell.seed
    opened = TrainingContext.open(cell, context, seed)
    genes = architectures[number]
    architecture = space.decode(genes)
    description = describe(opened, architecture)
    network = initialise(opened.build(architecture), seed)
    opened.train(network, cell.recipe, phase.name)
    val = opened.measured(network, "val")
    facts = {
        "architecture": description.architecture,
        "macs": description.macs,
        "params": description.params,
        "operators": space.codes(genes),
        f"val_{opened.metric}": val,
    }
    return PhaseResult(facts, {"alone_s": time.monotonic() - began})


def ranked(
    context: TrainingContext[O, S],
    scorer: ChildScorer,
    sampler: Sampler,
    architectures: Sequence[Genes],
    runs: int,
    measured: Callable[[Skeleton], float],
    supernet: str,
    scored_by: Literal["metric", "fitness"] = "metric",
) -> CellResult:
    """Every architecture with its metric when trained alone, beside its score with the supernet's weights.

    Args:
        context: with the task of the cell.
        sampler: draws the children whose statistics are shared.
        runs: trainings of each architecture.
        measured: the score of a network in evaluation mode, which is of ``scored_by``.
        supernet: name of the phase that trained it.
    """
    began = time.monotonic()
    run, space, writes = context.run, sampler.space, distributed.rank() == 0
    drawn = (child.genes for step in range(STATISTICS_CHILDREN) for child in sampler.draw(step))
    children = [space.decode(genes) for genes, _ in zip(drawn, range(STATISTICS_CHILDREN), strict=False)]
    share_statistics(scorer.supernet, children, scorer.calibration, context.cell.recipe.precision)
    recalibrated = Ledger(run.folder / RECALIBRATED, writes)
    shared = Ledger(run.folder / NOT_RECALIBRATED, writes)

    def with_calibration(genes: Genes) -> float:
        return measured(scorer.child(space.decode(genes)))

    def without_calibration(genes: Genes) -> float:
        return measured(scorer.supernet.extract(space.decode(genes)))

    entries, alone_s = [], 0.0
    for number, genes in enumerate(architectures):
        phases = [run.finished(phase_name(number, again)) for again in range(runs)]
        facts, alone = phases[0].facts, [phase.facts[f"val_{context.metric}"] for phase in phases]
        entries.append(
            Ranked(
                architecture=facts["architecture"],
                macs=facts["macs"],
                params=facts["params"],
                operators=facts["operators"],
                val=fmean(alone),
                val_sd=stdev(alone) if len(alone) > 1 else None,
                runs=len(alone),
                alone=alone,
                inherited_val=recalibrated.score(genes, with_calibration),
                inherited_val_not_recalibrated=shared.score(genes, without_calibration),
                scored_by=scored_by,
            )
        )
        alone_s += sum(phase.timings["alone_s"] for phase in phases)
        run.progress(number + 1, len(architectures), f"scores: {facts['operators']}")
    return CellResult(
        ranked=entries,
        counts=context.counts(0),
        timings={
            "supernet_s": run.finished(supernet).timings["supernet_s"],
            "alone_s": alone_s,
            "evaluate_s": time.monotonic() - began,
        },
    )
