"""Searching by gradients: operators and weights are trained in turn, each on one half of the images.

Liu et al. 2019, "DARTS" (arXiv 1806.09055), first order. The authors of FAB-NAS search by gradients in a later paper
(Zhou et al. 2023, DOI 10.1016/j.knosys.2023.110507), which makes it plausible here; how they do it is not known. Ours:
both gradients are taken at the same weights and make one optimizer step, and a network beyond the budget is brought
within it by the changes that cost the least probability.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from trionet_bench.networks.mixture import split_parameters
from trionet_bench.search.budget import BudgetRange
from trionet_bench.spaces.choice import Genes
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.runner import TaskRunner
from trionet_bench.training.device import autocast
from trionet_bench.training.loop import Batches


@dataclass(frozen=True)
class Halves:
    """Batches of both halves of the images, one behind the other in each batch."""

    weights: Batches
    operators: Batches

    def __len__(self) -> int:
        return min(len(self.weights), len(self.operators))

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (2 B, C, R, R) and targets (2 B, ...), those for the weights first, from the step ``first`` on."""
        pairs = zip(self.weights.epoch(epoch, first), self.operators.epoch(epoch, first), strict=False)
        for (images, targets), (others, other_targets) in pairs:
            yield torch.cat([images, others]), torch.cat([targets, other_targets])


@dataclass(frozen=True)
class RelaxedStep:
    """Forward and backward of one step, for ``training.loop.fit``."""

    network: nn.Module
    task: TaskRunner[Task]

    def __call__(self, images: Tensor, targets: Tensor, number: int) -> Mapping[str, Tensor]:
        inputs, wanted = self.task.views(images, targets, number)
        half = len(inputs) // 2
        logits, weights = split_parameters(self.network)
        by_operators = self._loss(inputs[half:], wanted[half:])
        gradients = torch.autograd.grad(by_operators, logits)
        loss = self._loss(inputs[:half], wanted[:half])
        loss.backward(inputs=weights)
        for parameter, gradient in zip(logits, gradients, strict=True):
            parameter.grad = gradient
        return {"loss": loss.detach(), "loss_operators": by_operators.detach()}

    def _loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        with autocast(self.task.device, self.task.recipe.precision):
            outputs: Tensor = self.network(inputs)
        return self.task.loss(outputs.float(), targets)


def discretised(within: BudgetRange, probabilities: Sequence[Sequence[float]]) -> Genes:
    """The most probable operator of each block; beyond the budget, single changes that each lose the least of the
    product of probabilities for what they save, until it fits.

    Args:
        within: holds the cheapest network of a space whose genes are, but for operators, of one option.
        probabilities: of each block's options, in the order of the blocks.
    """
    space = within.space
    genes = [0] * len(space.choices)
    for position, of_block in zip(space.operator_positions, probabilities, strict=True):
        genes[position] = int(np.argmax(of_block))
    while (cost := within.cost(tuple(genes))) > within.most:
        changes = []
        for position, of_block in zip(space.operator_positions, probabilities, strict=True):
            for option, probability in enumerate(of_block):
                changed = (*genes[:position], option, *genes[position + 1 :])
                if (saved := cost - within.cost(changed)) > 0:
                    lost = np.log(of_block[genes[position]]) - np.log(max(probability, 1e-12))
                    changes.append((float(lost) / saved, changed))
        genes = [*min(changes)[1]]
    return tuple(genes)
