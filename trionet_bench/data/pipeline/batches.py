"""Training and evaluation batches. The content of a step depends only on (seed, epoch, step)."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from trionet_bench.data.pipeline.image_set import ImageSet
from trionet_bench.data.pipeline.transforms import Augmentation, AugmentSettings, BatchRequest, Mixing
from trionet_bench.randomness import derived_generator, derived_seed

Device: TypeAlias = "str | torch.device"
KEPT_BYTES = 2 * 2**30  # of evaluation batches that are kept


class TrainBatches:
    """Augmented batches, an epoch at a time. A last batch that is not full is dropped, unless it is the only one.

    Args:
        images: the set to train on.
        augment: the augmentation of the recipe; images are mirrored only where that is safe.
        resolution: of the recipe; ValueError where the images were loaded at another.
        batch: images over all processes.
        seed: of order and augmentation.
        device: where batches are put.
        rank, world: this process and the number of processes; each gets its slice of the batch of a single process.
    """

    def __init__(
        self,
        images: ImageSet,
        augment: AugmentSettings,
        resolution: int,
        batch: int,
        seed: int,
        device: Device = "cpu",
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if resolution != images.data.resolution:
            raise ValueError(f"the images were loaded at {images.data.resolution} pixels, not {resolution}")
        self.images, self.seed, self.device = images, seed, torch.device(device)
        self.batch = min(batch, len(images))
        self.augmentation = Augmentation(augment, images.data.flip_safe, images.data.resolution)
        self.mixing = Mixing(augment, len(images.data.classes))
        share = np.arange(self.batch * rank // world, self.batch * (rank + 1) // world)
        # An image is mixed with the one before it in the batch. Where that is of another process, it is made here too.
        self.extra = int(world > 1 and self.mixing.needs_neighbour)
        self.positions = np.concatenate([share[:1] - 1, share]) % self.batch if self.extra else share

    def __len__(self) -> int:
        """Steps of one epoch."""
        return len(self.images) // self.batch

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Normalised float32 images (B, C, R, R) and int64 labels (B,) or, after mixing, float shares (B, classes);
        from step ``first`` of the epoch on.
        """
        order = derived_generator(self.seed, "order", epoch).permutation(len(self.images))
        requests = []
        for step in range(first, len(self)):
            rows = self.images.rows[order[step * self.batch : (step + 1) * self.batch]]
            requests.append(BatchRequest(rows, derived_seed(self.seed, "step", epoch, step), self.positions))
        data = self.images.data
        batches = data.pixels.augmented(requests, self.augmentation, self.device)
        for request, pixels in zip(requests, batches, strict=True):
            labels = data.labels[torch.from_numpy(request.rows[request.positions])].to(self.device)
            images, targets = self.mixing.of_batch(data.normalised(pixels), labels, request)
            yield images[self.extra :], targets[self.extra :]


class EvalBatches:
    """Every image of a set once, in order, without augmentation. With several processes each gets every world-th image.

    Since a search evaluates many networks on the same images, batches are kept from the second pass on, where all of
    them take at most ``KEPT_BYTES``. Do not write into them.

    Args:
        images: the set to evaluate on.
        batch: images of a batch in this process.
        device: where batches are put.
        rank, world: this process and the number of processes.
    """

    def __init__(self, images: ImageSet, batch: int, device: Device = "cpu", rank: int = 0, world: int = 1) -> None:
        self.images, self.device = images, torch.device(device)
        positions = np.arange(rank, len(images), world)
        self.positions = [positions[start : start + batch] for start in range(0, len(positions), batch)]
        self._passes = 0
        self._decoded: list[Tensor] | None = None
        self._kept: list[tuple[Tensor, Tensor, Tensor]] | None = None

    def __len__(self) -> int:
        """Batches of one pass."""
        return len(self.positions)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Normalised images (B, C, R, R), labels (B,), and positions in the set (B,), the latter on the CPU."""
        self._passes += 1
        if self._kept is None and self._passes > 1 and torch.float32.itemsize * self._values <= KEPT_BYTES:
            self._kept, self._decoded = list(self._batches()), None
        return self._batches() if self._kept is None else iter(self._kept)

    @property
    def _values(self) -> int:
        """Numbers in all images of one pass."""
        data = self.images.data
        return sum(map(len, self.positions)) * data.channels * data.resolution**2

    def _batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        data = self.images.data
        for positions, pixels in zip(self.positions, self._pixels(), strict=True):
            labels = data.labels[torch.from_numpy(self.images.rows[positions])].to(self.device)
            yield data.normalised(pixels.to(self.device)), labels, torch.from_numpy(positions)

    def _pixels(self) -> Iterable[Tensor]:
        """The uint8 images of each batch; those of a streamed set are decoded once where they fit."""
        data = self.images.data
        rows = [self.images.rows[positions] for positions in self.positions]
        if data.pixels.in_memory or self._values > KEPT_BYTES:
            return data.pixels.unaugmented(rows, self.device)
        if self._decoded is None:
            self._decoded = list(data.pixels.unaugmented(rows, torch.device("cpu")))
        return self._decoded
