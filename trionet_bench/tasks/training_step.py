"""A training step of one network: where its loss is computed. ``search.supernet`` has the step of a supernet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from torch import Tensor, nn

from trionet_bench.tasks.base import Task
from trionet_bench.training.device import autocast

if TYPE_CHECKING:
    from trionet_bench.tasks.runner import TaskRunner

T = TypeVar("T", bound=Task, covariant=True)


@dataclass(frozen=True)
class TrainingStep(Generic[T]):
    """Forward and backward of one step of one network, for ``training.loop.fit``."""

    runner: "TaskRunner[T]"
    network: nn.Module

    def __call__(self, images: Tensor, targets: Tensor, number: int) -> Mapping[str, Tensor]:
        runner = self.runner
        inputs, targets = runner.views(images, targets, number)
        with autocast(runner.device, runner.recipe.precision):
            outputs: Tensor = self.network(inputs)
        outputs = outputs.float()
        loss = runner.loss(outputs, targets)
        loss.backward()
        return {"loss": loss.detach(), **runner.training_metrics(outputs.detach(), targets)}
