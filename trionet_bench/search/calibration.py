"""Batch-norm statistics of a child, taken anew before it is scored.

A supernet's running statistics belong to no child. Each child is extracted, its statistics are reset and averaged over
fixed training images, and only then is it scored; the supernet is not touched.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.spaces.choice import Architecture
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.runner import TaskRunner
from trionet_bench.training.device import autocast
from trionet_bench.training.evaluation import EvaluationBatches
from trionet_bench.training.recipe_parts import Precision


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[Tensor], precision: Precision = "float32") -> nn.Module:
    """Reset and recompute the statistics of every batch norm, in place; returns the network in evaluation mode.

    Running mean and variance become the plain averages of the batch means and (unbiased) batch variances, so batches
    should be of one size. Weights, momentum and everything but batch norm stay as they are. ValueError when there is no
    batch.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # in torch: a cumulative average
        norm.train()
    seen = 0
    for images in batches:
        with autocast(images.device, precision):
            network(images)
        seen += len(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
    if norms and not seen:
        raise ValueError("recalibration needs at least one batch of images")
    return network


@torch.no_grad()
def share_statistics(
    supernet: Supernet,
    children: Iterable[Architecture],
    calibration: Iterable[Tensor],
    precision: Precision = "float32",
) -> None:
    """Give the store running statistics in common: for each entry the mean over those of ``children`` that use it.

    Statistics of each child are taken by ``recalibrate``. The result replaces the running averages that training a
    supernet usually leaves; ours leaves none. Entries that no child uses are not changed.
    """
    store = dict(supernet.statistics.named_buffers())
    sums = {key: torch.zeros_like(stored) for key, stored in store.items()}
    uses = {key: torch.zeros_like(stored) for key, stored in store.items()}
    for architecture in children:
        network = recalibrate(supernet.extract(architecture), calibration, precision)
        for name, (key, positions) in supernet.statistics_of(architecture).items():
            sums[key][positions] += network.get_buffer(name)
            uses[key][positions] += 1
    for key, stored in store.items():
        used = uses[key] > 0
        stored[used] = sums[key][used] / uses[key][used]


class ChildScorer:
    """Fitness of a supernet's children on held-out images, each after recalibration.

    Args:
        supernet: not changed by scoring.
        task: says what fitness is, and in which precision and on which device children run.
        calibration: batches of normalised training images, the same each time they are asked for.
        batches: the search-validation images.
    """

    def __init__(
        self,
        supernet: Supernet,
        task: TaskRunner[Task],
        calibration: Iterable[Tensor],
        batches: EvaluationBatches,
    ) -> None:
        self.supernet, self.task, self.calibration, self.batches = supernet, task, calibration, batches

    def child(self, architecture: Architecture) -> Skeleton:
        """The recalibrated stand-alone network with the supernet's weights, in evaluation mode."""
        child = self.supernet.extract(architecture)
        recalibrate(child, self.calibration, self.task.recipe.precision)
        return child

    def score(self, architecture: Architecture) -> float:
        """What a search maximises."""
        return self.task.fitness(self.child(architecture), self.batches)

    def metric(self, architecture: Architecture) -> float:
        """The task's primary metric on the held-out images, negated where lower is better."""
        task = self.task.task
        return task.fitness(self.task.evaluate(self.child(architecture), self.batches).metrics)
