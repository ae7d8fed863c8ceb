"""Images for training and evaluation: loaded once, handed out in batches that depend on (seed, epoch, step) alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from trionet_bench.data import transforms
from trionet_bench.data.memory import channel_statistics, decode_part
from trionet_bench.data.source import Index
from trionet_bench.data.splits import NAMES, Splits
from trionet_bench.data.transforms import AugmentSettings
from trionet_bench.errors import DataError
from trionet_bench.randomness import derived_generator, derived_seed

Device: TypeAlias = "str | torch.device"
FAULTS_SHOWN = 5


@dataclass(eq=False)
class ImageData:
    """A loaded data set. Rows number the images over all parts of the source; each split is a list of rows.

    ``mean`` and ``std`` are per channel, of the train split, with white as 1. ``skipped`` counts the images that were
    left out because they cannot be decoded.
    """

    images: Tensor                                              # uint8 (N, C, R, R)
    labels: Tensor                                              # int64 (N,)
    rows: dict[str, np.ndarray]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    flip_safe: bool
    skipped: int = 0
    _copies: dict[torch.device, Tensor] = field(default_factory=dict)

    @property
    def channels(self) -> int:
        return self.images.shape[1]

    @property
    def resolution(self) -> int:
        return self.images.shape[-1]

    def part(self, name: str) -> "ImageSet":
        """One split: train, search_val, val or test."""
        return self.parts(name)

    def parts(self, *names: str) -> "ImageSet":
        """Several splits as one set, in the order given."""
        return ImageSet(self, np.concatenate([self.rows[name] for name in names]))

    def images_on(self, device: Device) -> Tensor:
        """All images on a device, copied there once."""
        device = torch.device(device)
        if device not in self._copies:
            self._copies[device] = self.images.to(device)
        return self._copies[device]

    def normalised(self, images: Tensor) -> Tensor:
        """uint8 images as float32 with mean 0 and deviation 1 over the train split, by channel."""
        mean = torch.tensor(self.mean, device=images.device)[:, None, None] * 255
        std = torch.tensor(self.std, device=images.device)[:, None, None] * 255
        return images.float().sub_(mean).div_(std)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Some rows of a data set."""

    data: ImageData
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def images(self) -> Tensor:
        """uint8 (N, C, R, R), a copy."""
        return self.data.images[torch.from_numpy(self.rows)]

    @property
    def labels(self) -> Tensor:
        """int64 (N,)."""
        return self.data.labels[torch.from_numpy(self.rows)]


def load_images(
    index: Index,
    splits: Splits,
    resolution: int,
    workers: int = 0,
    cache_dir: Path | None = None,
    skip_broken: bool = False,
) -> ImageData:
    """All images of the splits, ready for batches.

    An image that cannot be decoded is a DataError that names it, or is left out and counted with ``skip_broken``.
    """
    offsets = dict(zip(index.labels, np.cumsum([0, *index.counts.values()]), strict=False))
    images, faults = [], []
    for part in index.labels:
        decoded, broken = decode_part(index, part, resolution)
        images.append(decoded)
        faults += [(part, position, reason) for position, reason in broken.items()]
    rows = {name: offsets[splits[name].part] + splits[name].indices for name in NAMES}
    if faults and not skip_broken:
        raise broken_images(index, faults)
    bad = np.array([offsets[part] + position for part, position, _ in faults], np.int64)
    kept = {name: of_split[~np.isin(of_split, bad)] for name, of_split in rows.items()}
    pixels = np.concatenate(images)
    mean, std = channel_statistics(pixels, kept["train"])
    return ImageData(
        images=torch.from_numpy(pixels),
        labels=torch.from_numpy(np.concatenate([index.labels[part] for part in index.labels])),
        rows=kept,
        mean=mean,
        std=std,
        classes=index.classes,
        flip_safe=index.flip_safe,
        skipped=sum(len(rows[name]) - len(kept[name]) for name in NAMES),
    )


def broken_images(index: Index, faults: list[tuple[str, int, str]]) -> DataError:
    """What to say of images that cannot be decoded."""
    named = "; ".join(f"{index.item(part, position)} ({reason})" for part, position, reason in faults[:FAULTS_SHOWN])
    more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
    return DataError(
        f"{index.uri}: {len(faults)} of {sum(index.counts.values())} images cannot be decoded: {named}{more}. "
        f"Repair or remove them, or set skip_broken to leave them out and have them counted."
    )


class TrainBatches:
    """An endless supply of training batches, an epoch at a time. A last batch that is not full is dropped.

    With several processes (``rank`` of ``world``) each takes its slice of the same global batch.
    """

    def __init__(
        self, images: ImageSet, augment: AugmentSettings, batch: int, seed: int, device: Device, rank: int, world: int
    ) -> None:
        self.set, self.augment, self.seed, self.device = images, augment, seed, torch.device(device)
        self.batch = min(batch, len(images))
        self.share = slice(self.batch * rank // world, self.batch * (rank + 1) // world)
        self.flip = augment.flip and images.data.flip_safe
        self.recolour = transforms.recolouring(augment)
        self.mix = transforms.mixing(augment, len(images.data.classes))

    def __len__(self) -> int:
        """Steps of one epoch."""
        return len(self.set) // self.batch

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Normalised float32 images (B, C, R, R) and int64 labels (B,) or, after mixing, float shares (B, classes)."""
        order = derived_generator(self.seed, "order", epoch).permutation(len(self.set))
        for step in range(len(self)):
            yield self.step(order[step * self.batch : (step + 1) * self.batch], epoch, step)

    def step(self, positions: np.ndarray, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        rows = torch.from_numpy(self.set.rows[positions]).to(self.device)
        images, targets = self.set.data.images_on(self.device)[rows], self.set.data.labels[rows.cpu()].to(self.device)
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "augment", epoch, step))
        if self.augment.crop == "pad":
            images = transforms.shifted(images, generator)
        elif self.augment.crop == "resized":
            images = transforms.resized_crops(images, self.augment.min_area, generator)
        if self.flip:
            images = transforms.flipped(images, generator)
        with transforms.torchvision_seed(derived_seed(self.seed, "torchvision", epoch, step)):
            if self.recolour:
                images = torch.stack([self.recolour(image) for image in images])
            images = self.set.data.normalised(images)
            if self.augment.erase:
                images = transforms.erased(images, self.augment.erase)
            if self.mix:
                images, targets = self.mix(images, targets)
        return images[self.share], targets[self.share]


class EvalBatches:
    """Every image of a set once, in order, without augmentation; a process gets every ``world``-th and none twice."""

    def __init__(self, images: ImageSet, batch: int, device: Device, rank: int, world: int) -> None:
        self.set, self.batch, self.device = images, batch, torch.device(device)
        self.positions = np.arange(rank, len(images), world)

    def __len__(self) -> int:
        return -(-len(self.positions) // self.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Normalised images, labels, and positions in the set (int64, on the CPU)."""
        for start in range(0, len(self.positions), self.batch):
            positions = self.positions[start : start + self.batch]
            rows = torch.from_numpy(self.set.rows[positions])
            images = self.set.data.normalised(self.set.data.images_on(self.device)[rows.to(self.device)])
            yield images, self.set.data.labels[rows].to(self.device), torch.from_numpy(positions)


def train_batches(
    images: ImageSet,
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


def eval_batches(images: ImageSet, batch: int, device: Device = "cpu", rank: int = 0, world: int = 1) -> EvalBatches:
    """Evaluation batches; over all processes every image appears exactly once."""
    return EvalBatches(images, batch, device, rank, world)
