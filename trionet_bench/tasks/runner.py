"""How a task trains and evaluates: network, views of a batch, loss, and what is noted of each image."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar, Unpack

import numpy as np
from torch import Tensor, nn
from torch import device as torch_device

from trionet_bench.data.index import Index
from trionet_bench.networks.skeletons import Skeleton, build_network
from trionet_bench.registry import resolve
from trionet_bench.spaces.choice import Architecture
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.training_step import TrainingStep
from trionet_bench.training.device import autocast
from trionet_bench.training.distillation import soft_cross_entropy
from trionet_bench.training.evaluation import EvaluationBatches, collect
from trionet_bench.training.history import HistoryRow
from trionet_bench.training.loop import Batches, FitOptions, fit
from trionet_bench.training.recipe import Recipe

T = TypeVar("T", bound=Task, covariant=True)
WORST_LOSS = 1e6  # of a network whose outputs are not finite, so that it ranks last


@dataclass(frozen=True)
class Evaluation:
    """A network's metrics on a set of images, and what was noted of each image: arrays (N, ...) in the set's order."""

    metrics: Mapping[str, float]
    columns: Mapping[str, np.ndarray]

    @property
    def n(self) -> int:
        """Images evaluated."""
        return len(next(iter(self.columns.values())))


@dataclass(frozen=True)
class TaskRunner(ABC, Generic[T]):
    """Base of what carries a task out. ``loss`` and ``judge`` must be given; the rest has defaults.

    Args:
        task: its options.
        outputs: width of the output head.
        classes: of the data set.
        channels: of an image, C.
        resolution: side of an image in pixels, R.
        recipe: of training.
        seed: of the cell; all randomness of a view is derived from it and the step or position.
        device: where networks run.
    """

    task: T
    outputs: int
    classes: int
    channels: int
    resolution: int
    recipe: Recipe
    seed: int
    device: torch_device

    def network(self, architecture: Architecture) -> Skeleton:
        """The network of an architecture as it is trained, with the task's head and without initial weights."""
        return build_network(architecture, self.outputs, self.channels, self.resolution)

    def deployed(self, architecture: Architecture) -> Skeleton:
        """The network as it is used after training, see ``deployed_part``.

        It is what is described, counted and stored; override it where ``network`` has parts that only training needs.
        """
        return self.network(architecture)

    def deployed_part(self, network: Skeleton) -> Skeleton:
        """The part of a trained network that has the weights of ``deployed``, under their names; the default is all of
        it.
        """
        return network

    def references(self) -> dict[str, nn.Module]:
        """What a trained network is measured against that is not trained, by the name that its metrics begin with; the
        default is nothing. Where there is something, the network before its training is measured too.
        """
        return {}

    def views(self, images: Tensor, targets: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """What the network gets in a training step, and what its outputs are compared with.

        From augmented images (B, C, R, R) with class numbers (B,) or shares of classes (B, classes). A task without
        labels makes targets from the images here. The default passes both on.
        """
        return images, targets

    def evaluation_views(self, images: Tensor, targets: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The same for evaluation: a function of images (B, C, R, R), labels (B,) and positions in the set (B,)."""
        return images, targets

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What a training step minimises: a scalar from the network's float32 outputs (B, ...)."""

    def distillation_loss(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """What a supernet's other children minimise, from their outputs and those of the biggest child.

        The default is cross entropy with the teacher's softmax at a temperature.
        """
        return soft_cross_entropy(outputs, teacher, temperature)

    def training_metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """What is reported of a training step besides its loss."""
        return {}

    @abstractmethod
    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """What is noted of each image, tensors (B, ...) by name, from which ``Task.measure`` computes every metric."""

    def together(self, columns: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """What is kept of all images, (N, ...), from what ``judge`` notes of each; the default keeps all of it."""
        return columns

    def train(
        self,
        network: Skeleton,
        batches: Batches,
        recipe: Recipe,
        **options: Unpack[FitOptions],
    ) -> list[HistoryRow]:
        """Train a network in place by a recipe; options and rows are those of ``training.loop.fit``."""
        network.set_drop_path(recipe.drop_path)
        step = TrainingStep(self, network)
        return fit(network, batches, recipe, seed=self.seed, device=self.device, step=step, **options)

    def evaluate(self, network: nn.Module, batches: EvaluationBatches) -> Evaluation:
        """Metrics of a network; every rank returns those over all images. TrainingError as of ``collect``."""

        def judged(images: Tensor, labels: Tensor, positions: Tensor) -> dict[str, Tensor]:
            inputs, targets = self.evaluation_views(images, labels, positions)
            with autocast(self.device, self.recipe.precision):
                outputs: Tensor = network(inputs)
            return self.judge(outputs.float(), targets)

        columns = self.together(collect(network, batches, self.device, judged))
        return Evaluation(self.task.measure(columns), columns)

    def evaluation_loss(self, network: nn.Module, batches: EvaluationBatches) -> float:
        """The mean loss over images that are not augmented; ``WORST_LOSS`` where it is not finite."""

        def judged(images: Tensor, labels: Tensor, positions: Tensor) -> dict[str, Tensor]:
            inputs, targets = self.evaluation_views(images, labels, positions)
            with autocast(self.device, self.recipe.precision):
                outputs: Tensor = network(inputs)
            return {"loss": self.loss(outputs.float(), targets).expand(len(images))}

        mean = float(collect(network, batches, self.device, judged)["loss"].astype(np.float64).mean())
        return mean if np.isfinite(mean) else WORST_LOSS

    def fitness(self, network: nn.Module, batches: EvaluationBatches) -> float:
        """What a search maximises: minus the loss or the primary metric, as the recipe's ``search.fitness`` says."""
        if self.recipe.search.fitness == "loss":
            return -self.evaluation_loss(network, batches)
        return self.task.fitness(self.evaluate(network, batches).metrics)


def make_runner(
    task: Task, index: Index, resolution: int, recipe: Recipe, seed: int, device: torch_device
) -> TaskRunner[Task]:
    """What carries a task out on the images of a data set; its module is imported now."""
    return _runner_type(task)(
        task=task,
        outputs=task.outputs(index),
        classes=len(index.classes),
        channels=index.channels,
        resolution=resolution,
        recipe=recipe,
        seed=seed,
        device=device,
    )


def _runner_type(task: Task) -> type[TaskRunner[Task]]:
    implementation = resolve(task.implementation)
    if not (isinstance(implementation, type) and issubclass(implementation, TaskRunner)):
        raise TypeError(f"{task.implementation} of the task {task.name} is not a TaskRunner")
    return implementation
