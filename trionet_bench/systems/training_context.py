"""What the systems train with: a cell's images and task, and the batches that every system draws from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from trionet_bench.data.pipeline.batches import EvalBatches, TrainBatches
from trionet_bench.data.pipeline.image_set import ImageData, ImageSet
from trionet_bench.data.pipeline.loader import load_images
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.randomness import derived_generator
from trionet_bench.records.layout import CHECKPOINT_SUFFIX, HISTORY, checkpoint_file
from trionet_bench.records.record import Counts
from trionet_bench.spaces.choice import Architecture, Space
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.cell import Cell
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.runner import Evaluation, TaskRunner, make_runner
from trionet_bench.training import distributed
from trionet_bench.training.device import resolve_device
from trionet_bench.training.history import HistoryRow
from trionet_bench.training.loop import FitFiles
from trionet_bench.training.recipe import Recipe

EVALUATION_BATCH = 256

O = TypeVar("O", bound=BaseModel, covariant=True)  # noqa: E741
S = TypeVar("S", bound=Space, covariant=True)


@dataclass(frozen=True)
class CalibrationBatches:
    """What networks get to see when batch-norm statistics are taken, as often as it is asked for."""

    batches: EvalBatches
    task: TaskRunner[Task]

    def __len__(self) -> int:
        """Images, not batches."""
        return len(self.batches.images)

    def __iter__(self) -> Iterator[Tensor]:
        for images, labels, positions in self.batches:
            yield self.task.evaluation_views(images, labels, positions)[0]


@dataclass(frozen=True)
class TrainingContext(Generic[O, S]):
    """A cell's images, task and device.

    Final networks train on train and search-validation images together, whatever chose their architecture; supernets,
    and networks that are trained to be compared, leave the search-validation images out. Validation images are for the
    record alone.
    """

    cell: Cell[O, S]
    run: RunContext
    images: ImageData
    task: TaskRunner[Task]

    @classmethod
    def open(cls, cell: Cell[O, S], run: RunContext, seed: int | None = None) -> "TrainingContext[O, S]":
        """Load the images of a cell; DataError where they are missing or broken.

        ``seed`` replaces the cell's in training, but not in the split, so that a network can be trained several times.
        """
        data = cell.data
        images = load_images(
            data.index, data.splits(cell.seed), cell.resolution, run.workers, run.cache, skip_broken=data.skip_broken
        )
        training_seed, device = cell.seed if seed is None else seed, resolve_device(run.device)
        task = make_runner(data.task, data.index, cell.resolution, cell.recipe, training_seed, device)
        return cls(cell, run, images, task)

    @property
    def device(self) -> torch.device:
        """Where networks run."""
        return self.task.device

    @property
    def metric(self) -> str:
        """Name of the primary metric of the task."""
        return self.task.task.primary.name

    def build(self, architecture: Architecture) -> Skeleton:
        """The stand-alone network for these images, without initial weights."""
        return self.task.network(architecture)

    def train_batches(self, *parts: str) -> TrainBatches:
        """Batches whose order and augmentation depend on the seed of training, not on the model."""
        return TrainBatches(
            self.images.parts(*parts),
            self.cell.recipe.augment,
            self.cell.resolution,
            self.cell.recipe.batch,
            self.task.seed,
            self.device,
            distributed.rank(),
            distributed.world(),
        )

    def eval_batches(self, part: str, batch: int = EVALUATION_BATCH) -> EvalBatches:
        """Every image of a part once."""
        return EvalBatches(self.images.part(part), batch, self.device, distributed.rank(), distributed.world())

    def calibration_batches(self) -> CalibrationBatches:
        """Train images without augmentation, about as many as the recipe says, in batches of one size.

        They are drawn by the cell's seed, and all ranks have the same.
        """
        settings, train = self.cell.recipe.search, self.images.part("train")
        batch = min(settings.calibration_batch, len(train))
        taken = max(batch, min(settings.calibration_images, len(train)) // batch * batch)
        chosen = derived_generator(self.cell.seed, "calibration").permutation(len(train))[:taken]
        images = ImageSet(self.images, train.rows[np.sort(chosen)])
        return CalibrationBatches(EvalBatches(images, batch, self.device), self.task)

    def evaluate(self, network: torch.nn.Module, part: str) -> Evaluation:
        """All metrics of the task on a part."""
        return self.task.evaluate(network, self.eval_batches(part))

    def measured(self, network: torch.nn.Module, part: str) -> float:
        """The primary metric on a part."""
        return self.evaluate(network, part).metrics[self.metric]

    def train(
        self, network: Skeleton, recipe: Recipe, phase: str, parts: tuple[str, ...] = ("train", "search_val")
    ) -> list[HistoryRow]:
        """Train in place on these parts; an interrupted run is continued."""

        def validated(epoch: int, row: HistoryRow) -> HistoryRow | None:
            if not recipe.validate_every or epoch % recipe.validate_every:
                return None
            return self.task.task.on_part("val", {self.metric: self.measured(network, "val")})

        return self.task.train(
            network,
            self.train_batches(*parts),
            recipe,
            on_epoch_end=validated,
            phase=phase,
            **self.fit_files(phase),
        )

    def fit_files(self, phase: str) -> FitFiles:
        """Where training of this name keeps what it does, and where it reports its progress."""
        return FitFiles(
            checkpoint=checkpoint_file(self.run.folder, phase),
            checkpoint_seconds=self.run.checkpoint_seconds,
            history=self.run.folder / HISTORY,
            progress=lambda done, total, text: self.run.progress(done, total, f"{phase}: {text}"),
        )

    def counts(self, evaluated: int) -> Counts:
        """Images of each part for the record."""
        images = self.images
        return Counts(
            train=len(images.part("train")),
            search_val=len(images.part("search_val")),
            val=len(images.part("val")),
            test=len(images.part("test")),
            evaluated=evaluated,
            skipped=images.skipped,
        )

    def drop_checkpoints(self) -> None:
        """Remove what only an interrupted training needs, between two trainings of a cell; after it the worker does."""
        if distributed.rank() == 0:
            for checkpoint in self.run.folder.glob(f"*{CHECKPOINT_SUFFIX}"):
                checkpoint.unlink()


AnyTrainingContext: TypeAlias = TrainingContext[BaseModel, Space]
