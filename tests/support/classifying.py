"""Classification on any module, without images of a cell."""

from collections.abc import Callable
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from trionet_bench.tasks.base import Task
from trionet_bench.tasks.classification.runner import ClassificationRunner
from trionet_bench.tasks.classification.task import Classification
from trionet_bench.tasks.runner import Evaluation, TaskRunner
from trionet_bench.tasks.training_step import TrainingStep
from trionet_bench.training.evaluation import EvaluationBatches
from trionet_bench.training.history import HistoryRow
from trionet_bench.training.loop import Batches, FitOptions, fit
from trionet_bench.training.recipe import QUICK, Recipe

CPU = torch.device("cpu")


def classification(recipe: Recipe = QUICK, seed: int = 0) -> TaskRunner[Task]:
    """Of 8 x 8 images of two channels and three classes; modules of other shapes may use all but ``network``."""
    return ClassificationRunner(Classification(), 3, 3, 2, 8, recipe, seed, CPU)


def train_classifier(
    module: nn.Module,
    batches: Batches,
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device,
    **options: Unpack[FitOptions],
) -> list[HistoryRow]:
    """Train any module by cross entropy."""
    step = TrainingStep(classification(recipe), module)
    return fit(module, batches, recipe, seed=seed, device=device, step=step, **options)


def evaluate(network: nn.Module | Callable[[Tensor], Tensor], batches: EvaluationBatches) -> Evaluation:
    """Accuracy of a module, or of a function from images to logits."""
    module: Any = network
    return classification().evaluate(module, batches)
