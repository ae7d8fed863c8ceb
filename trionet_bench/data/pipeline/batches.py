"""Training and evaluation batches: what a step gets depends on (seed, epoch, step) alone."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from trionet_bench.data.pipeline.transforms import Augmentation, AugmentSettings, Mixing, Step
from trionet_bench.randomness import derived_generator, derived_seed

if TYPE_CHECKING:
    from trionet_bench.data.pipeline.loader import ImageSet

Device: TypeAlias = "str | torch.device"
KEPT_BYTES = 2 * 2**30


class TrainBatches:
    """Augmented batches, an epoch at a time. A last batch that is not full is dropped, unless it is the only one.

    With several processes (``rank`` of ``world``) each gets its slice of the same batch as one process would.
    """

    def __init__(
        self, images: "ImageSet", augment: AugmentSettings, batch: int, seed: int, device: Device, rank: int, world: int
    ) -> None:
        self.images, self.seed, self.device = images, seed, torch.device(device)
        self.batch = min(batch, len(images))
        self.augmentation = Augmentation(augment, images.data.flip_safe, images.data.resolution)
        self.mixing = Mixing(augment, len(images.data.classes))
        share = np.arange(self.batch * rank // world, self.batch * (rank + 1) // world)
        # An image is mixed with the one before it in the batch, which may be another process's: it is made here too.
        self.extra = int(world > 1 and self.mixing.needs_neighbour)
        self.wanted = np.concatenate([share[:1] - 1, share]) % self.batch if self.extra else share

    def __len__(self) -> int:
        """Steps of one epoch."""
        return len(self.images) // self.batch

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Normalised float32 images (B, C, R, R) and int64 labels (B,) or, after mixing, float shares (B, classes)."""
        order = derived_generator(self.seed, "order", epoch).permutation(len(self.images))
        steps = []
        for step in range(len(self)):
            rows = self.images.rows[order[step * self.batch : (step + 1) * self.batch]]
            steps.append(Step(rows, derived_seed(self.seed, "step", epoch, step), self.wanted))
        data = self.images.data
        for made, pixels in zip(steps, data.pixels.augmented(steps, self.augmentation, self.device), strict=True):
            labels = data.labels[torch.from_numpy(made.rows[made.wanted])].to(self.device)
            images, targets = self.mixing.of_batch(data.normalised(pixels), labels, made)
            yield images[self.extra :], targets[self.extra :]


class EvalBatches:
    """Every image of a set once, in order, without augmentation; a process gets every ``world``-th and none twice.

    A search evaluates a thousand networks on the same images: asked for a second time, batches are kept as they are
    given, where all of them fit into ``KEPT_BYTES``. They are not to be written into.
    """

    def __init__(self, images: "ImageSet", batch: int, device: Device, rank: int, world: int) -> None:
        self.images, self.device = images, torch.device(device)
        positions = np.arange(rank, len(images), world)
        self.positions = [positions[start : start + batch] for start in range(0, len(positions), batch)]
        self._passes = 0
        self._decoded: list[Tensor] | None = None
        self._ready: list[tuple[Tensor, Tensor, Tensor]] | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Normalised images, labels, and positions in the set (int64, on the CPU)."""
        self._passes += 1
        if self._ready is None and self._passes > 1 and torch.float32.itemsize * self._values <= KEPT_BYTES:
            self._ready, self._decoded = list(self._made()), None
        return self._made() if self._ready is None else iter(self._ready)

    @property
    def _values(self) -> int:
        data = self.images.data
        return sum(map(len, self.positions)) * data.channels * data.resolution**2

    def _made(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        data = self.images.data
        for positions, pixels in zip(self.positions, self._pixels(), strict=True):
            labels = data.labels[torch.from_numpy(self.images.rows[positions])].to(self.device)
            yield data.normalised(pixels.to(self.device)), labels, torch.from_numpy(positions)

    def _pixels(self) -> Iterable[Tensor]:
        """The images; those of a streamed set are decoded once if they fit."""
        data = self.images.data
        rows = [self.images.rows[positions] for positions in self.positions]
        if data.in_memory or self._values > KEPT_BYTES:
            return data.pixels.plain(rows, self.device)
        if self._decoded is None:
            self._decoded = list(data.pixels.plain(rows, torch.device("cpu")))
        return self._decoded


def train_batches(
    images: "ImageSet",
    augment: AugmentSettings,
    resolution: int,
    batch: int,
    seed: int,
    device: Device = "cpu",
    rank: int = 0,
    world: int = 1,
) -> TrainBatches:
    """Batches of ``batch`` images over all processes, augmented as the recipe says; flipped only where that is safe."""
    if resolution != images.data.resolution:
        raise ValueError(f"the images were loaded at {images.data.resolution} pixels, not {resolution}")
    return TrainBatches(images, augment, batch, seed, device, rank, world)


def eval_batches(images: "ImageSet", batch: int, device: Device = "cpu", rank: int = 0, world: int = 1) -> EvalBatches:
    """Evaluation batches; over all processes every image appears exactly once."""
    return EvalBatches(images, batch, device, rank, world)
