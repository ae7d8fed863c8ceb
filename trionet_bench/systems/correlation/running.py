"""Trains the architectures of a correlation, and scores them with the weights of the supernet."""

import time
from functools import lru_cache
from statistics import fmean, stdev

from trionet_bench.networks.layers import initialise
from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.randomness import derived_seed
from trionet_bench.records.record import CellResult, Ranked
from trionet_bench.search.budget import BudgetRange
from trionet_bench.search.calibration import share_statistics
from trionet_bench.search.evolution import Ledger
from trionet_bench.search.spreading import drawn_near, spread
from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.base import PhaseResult, RunContext, SystemRunner
from trionet_bench.systems.cell import Phase
from trionet_bench.systems.correlation.system import CorrelationCell, Options, phase_name, phase_number
from trionet_bench.systems.cost import cost_in
from trionet_bench.systems.retraining import describe
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.systems.trionet.running import make_sampler, open_supernet, train_supernet_phase, work_of_supernet
from trionet_bench.systems.trionet.system import SUPERNET
from trionet_bench.systems.work import Work, calibration_images, evaluation, images_in, training
from trionet_bench.training import distributed

STATISTICS_CHILDREN = 32  # children whose batch-norm statistics are averaged


class CorrelationRunner(SystemRunner[Options, ResNetSpace]):
    """Carries correlations and their phases out."""

    def check(self, cell: CorrelationCell) -> None:
        """UsageError where the space has too few networks within the budget."""
        _architectures(cell)

    def work(self, cell: CorrelationCell) -> list[Work]:
        """Every architecture scored twice, once after recalibration; and the shared statistics."""
        count = cell.options.architectures
        macs = fmean(map(cost_in(cell), _architectures(cell)))
        calibration = calibration_images(cell)
        scored = count * (calibration + 2 * images_in(cell, ("val",)))
        return [Work("evaluate", scored + STATISTICS_CHILDREN * calibration, macs)]

    def phase_work(self, phase: Phase, cell: CorrelationCell) -> list[Work]:
        """The supernet's, or the training of one architecture."""
        if phase.name == SUPERNET:
            return work_of_supernet(cell)
        macs = cost_in(cell)(_architectures(cell)[phase_number(phase)[0]])
        return [training(cell, cell.recipe, macs, "alone"), evaluation(cell, macs, "val")]

    def run_phase(self, phase: Phase, cell: CorrelationCell, context: RunContext) -> PhaseResult:
        """Train the supernet, or one architecture from scratch."""
        if phase.name == SUPERNET:
            return train_supernet_phase(TrainingContext.open(cell, context))
        began = time.monotonic()
        number, run = phase_number(phase)
        seed = derived_seed(cell.seed, "run", run) if run else cell.seed
        opened = TrainingContext.open(cell, context, seed)
        genes = _architectures(cell)[number]
        architecture = cell.space.decode(genes)
        description = describe(opened, architecture)
        network = initialise(opened.build(architecture), seed)
        opened.train(network, cell.recipe, phase.name)
        val = opened.measured(network, "val")
        opened.drop_checkpoints()
        facts = {
            "architecture": description.architecture,
            "macs": description.macs,
            "params": description.params,
            "operators": cell.space.codes(genes),
            f"val_{opened.metric}": val,
        }
        return PhaseResult(facts, {"alone_s": time.monotonic() - began})

    def run_cell(self, cell: CorrelationCell, context: RunContext) -> CellResult:
        """Score every architecture with the supernet's weights, beside its metric when trained from scratch."""
        began = time.monotonic()
        opened = TrainingContext.open(cell, context)
        space, scorer, sampler = cell.space, open_supernet(opened), make_sampler(cell)
        supernet, writes = scorer.supernet, distributed.rank() == 0
        drawn = (child.genes for step in range(STATISTICS_CHILDREN) for child in sampler.draw(step))
        children = [space.decode(genes) for genes, _ in zip(drawn, range(STATISTICS_CHILDREN), strict=False)]
        share_statistics(supernet, children, scorer.calibration, cell.recipe.precision)
        recalibrated = Ledger(context.folder / "recalibrated.jsonl", writes)
        shared = Ledger(context.folder / "not_recalibrated.jsonl", writes)

        def with_calibration(genes: Genes) -> float:
            return opened.measured(scorer.child(space.decode(genes)), "val")

        def without_calibration(genes: Genes) -> float:
            return opened.measured(supernet.extract(space.decode(genes)), "val")

        ranked, alone_s = [], 0.0
        count = cell.options.architectures
        for number, genes in enumerate(_architectures(cell)):
            runs = [context.finished(phase_name(number, run)) for run in range(cell.options.runs)]
            facts, alone = runs[0].facts, [phase.facts[f"val_{opened.metric}"] for phase in runs]
            ranked.append(
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
                )
            )
            alone_s += sum(phase.timings["alone_s"] for phase in runs)
            context.progress(number + 1, count, f"scores: {facts['operators']}")
        return CellResult(
            ranked=ranked,
            counts=opened.counts(0),
            timings={
                "supernet_s": context.finished(SUPERNET).timings["supernet_s"],
                "alone_s": alone_s,
                "evaluate_s": time.monotonic() - began,
            },
        )


def _architectures(cell: CorrelationCell) -> list[Genes]:
    """The cell's architectures, which do not depend on its seed or supernet; more of them begin with the fewer."""
    index, options = cell.data.index, cell.options
    images = cell.data.task.outputs(index), index.channels, cell.resolution
    return _chosen(cell.space, *images, cell.budget, options.architectures, options.near)


@lru_cache(maxsize=8)  # an estimate asks for the same ones for each
def _chosen(
    space: ResNetSpace, outputs: int, channels: int, resolution: int, budget: int, count: int, near: float | None
) -> list[Genes]:
    def cost(genes: Genes) -> int:
        return architecture_macs(space.decode(genes), outputs, channels, resolution)

    if near is None:
        return spread(space, cost, budget, count)
    return drawn_near(BudgetRange.of_budget(space, cost, budget, near), count)
