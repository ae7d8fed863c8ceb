"""The differentiable search of a FAB-NAS model: all operators at once, one softmax for each block."""

import time
from typing import TypeVar

import numpy as np
import torch

from trionet_bench.data.pipeline.batches import TrainBatches
from trionet_bench.data.pipeline.image_set import ImageSet
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.mac_totals import profile
from trionet_bench.networks.mixture import Mixture, mix
from trionet_bench.networks.resnet import ResNet
from trionet_bench.networks.skeletons import Skeleton, build_network
from trionet_bench.randomness import derived_generator
from trionet_bench.records.record import Search
from trionet_bench.search.budget import BudgetRange
from trionet_bench.search.relaxation import Halves, RelaxedStep, discretised
from trionet_bench.search.sampling import SinglePathSampler
from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.fab import FabSpace
from trionet_bench.systems.base import PhaseResult
from trionet_bench.systems.fab.system import SupernetOptions, relaxed_phase
from trionet_bench.systems.search_phase import operator_prior
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.systems.work import Work
from trionet_bench.training import distributed
from trionet_bench.training.loop import fit

F = TypeVar("F", bound=SupernetOptions)


def train_relaxed(context: TrainingContext[F, FabSpace], space: FabSpace) -> PhaseResult:
    """Train weights and operators in turn; the context has the task that they are trained for. The probability of each
    option of each block is among the facts.
    """
    began = time.monotonic()
    recipe = context.cell.recipe.for_supernet()
    network = context.build(space.decode((0,) * len(space.choices)))
    encoder = context.task.deployed_part(network)
    mixtures = _mixed(encoder, space, context.cell.resolution)
    fit(
        initialise(network, context.cell.seed),
        _halves(context),
        recipe,
        seed=context.task.seed,
        device=context.device,
        step=RelaxedStep(network, context.task),
        phase="supernet",
        **context.fit_files("supernet"),
    )
    probabilities = [mixture.logits.detach().softmax(0).tolist() for mixture in mixtures]
    return PhaseResult({"probabilities": probabilities}, {"supernet_s": time.monotonic() - began})


def chosen(context: TrainingContext[F, FabSpace], within: BudgetRange, pretext: str | None) -> tuple[Genes, Search]:
    """The network that the finished phase stands for, and the record's ``search``."""
    cell = context.cell
    facts = context.run.finished(relaxed_phase(cell).name).facts
    proposal = SinglePathSampler(within.space, cell.seed)
    record = Search(
        algorithm="gradient",
        sampler="all at once",
        sharing="independent",
        evaluations=0,
        fitness="loss",
        pretext=pretext,
        acceptance_rate=1.0,
        calibration_images=0,
        best_by_generation=[],
        evaluated=[],
        operator_prior=operator_prior(within, proposal, cell.seed),
        operator_draws={},
        probes=[],
    )
    return discretised(within, facts["probabilities"]), record


def relaxed_work(context_free: tuple[int, int, int], space: FabSpace, epochs: int, images: int) -> list[Work]:
    """Estimated compute: every image once an epoch through all operators, for weights or for operators."""
    outputs, channels, resolution = context_free
    with torch.device("meta"):
        network = build_network(space.decode((0,) * len(space.choices)), outputs, channels, resolution)
        _mixed(network, space, resolution)
    cost = profile(network, resolution)
    return [Work("supernet", epochs * images, cost.macs, trains=True, parameters=cost.params)]


def _mixed(network: Skeleton, space: FabSpace, resolution: int) -> list[Mixture]:
    assert isinstance(network, ResNet)
    candidates = {}
    for stage, block, position in space.blocks((0,) * len(space.choices)):
        options = range(len(space.operator_options(position)))
        genes = [(*(0,) * position, option, *(0,) * (len(space.choices) - position - 1)) for option in options]
        candidates[stage, block] = [space.decode(each).stages[stage].blocks[block] for each in genes]
    return mix(network, candidates, resolution)


def _halves(context: TrainingContext[F, FabSpace]) -> Halves:
    """Fixed halves of the train images, each in batches of half the size."""
    cell, rows = context.cell, context.images.part("train").rows
    order = derived_generator(cell.seed, "halves").permutation(len(rows))

    def batches(positions: np.ndarray) -> TrainBatches:
        images = ImageSet(context.images, rows[np.sort(positions)])
        size = max(2, cell.recipe.batch // 2)
        ranks = distributed.rank(), distributed.world()
        return TrainBatches(
            images, cell.recipe.augment, cell.resolution, size, context.task.seed, context.device, *ranks
        )

    return Halves(batches(order[: len(order) // 2]), batches(order[len(order) // 2 :]))
