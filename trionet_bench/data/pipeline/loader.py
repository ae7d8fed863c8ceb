"""Loads a data set for training: into memory where it is small, as a stream of decoded files where it is not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from trionet_bench.data.pipeline.batches import eval_batches, train_batches
from trionet_bench.data.pipeline.check import broken_images, check
from trionet_bench.data.pipeline.memory import MemoryImages, decode
from trionet_bench.data.pipeline.splits import NAMES, Splits
from trionet_bench.data.pipeline.stream import StreamedImages
from trionet_bench.data.pipeline.transforms import Augmentation, Step
from trionet_bench.data.pipeline.view import View
from trionet_bench.data.sources.base import Index

__all__ = ["ImageData", "ImageSet", "eval_batches", "load_images", "train_batches"]

# Larger sets are streamed. A fixed number, not a share of this machine's memory: streamed images are cropped from the
# whole picture and those in memory from its middle, so the choice must be the same everywhere.
MEMORY_BYTES = 2 * 2**30
STATISTICS_IMAGES = 4096
STATISTICS_BATCH = 512


class Pixels(Protocol):
    """Where uint8 images come from, by row; implemented in memory and as a stream."""

    @property
    def channels(self) -> int: ...
    @property
    def resolution(self) -> int: ...
    def plain(self, batches: Iterable[np.ndarray], device: torch.device) -> Iterator[Tensor]: ...
    def augmented(
        self, steps: Iterable[Step], augmentation: Augmentation, device: torch.device
    ) -> Iterator[Tensor]: ...


@dataclass(frozen=True, eq=False)
class ImageData:
    """A loaded data set. Rows number the images over all parts of the source; each split is a list of rows.

    ``mean`` and ``std`` are per channel, of the train split, with white as 1. ``skipped`` counts the images that were
    left out because they cannot be decoded. ``view`` is how evaluation sees an image.
    """

    pixels: Pixels
    view: View
    labels: Tensor  # int64 (N,)
    rows: dict[str, np.ndarray]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    flip_safe: bool
    skipped: int = 0

    @property
    def channels(self) -> int:
        return self.pixels.channels

    @property
    def resolution(self) -> int:
        return self.pixels.resolution

    @property
    def in_memory(self) -> bool:
        return isinstance(self.pixels, MemoryImages)

    def part(self, name: str) -> "ImageSet":
        """One split: train, search_val, val or test."""
        return self.parts(name)

    def parts(self, *names: str) -> "ImageSet":
        """Several splits as one set, in the order given."""
        return ImageSet(self, np.concatenate([self.rows[name] for name in names]))

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
        """uint8 (N, C, R, R), a copy; a streamed set is decoded for it."""
        return next(self.data.pixels.plain([self.rows], torch.device("cpu")))

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

    Args:
        workers: processes that decode, where the set is streamed. Neither they nor the cache change any batch.
        cache_dir: where decoded images, and the list of broken ones, are kept for the next time.
        skip_broken: leave out images that cannot be decoded, and count them; otherwise they are a DataError.
    """
    pixels: Pixels
    view: View
    if sum(index.counts.values()) * index.channels * resolution**2 <= MEMORY_BYTES:
        decoded, broken = decode(index, resolution, cache_dir)
        pixels = MemoryImages(torch.from_numpy(decoded))
        view = "whole" if index.arrays("train") is None else "array"
    else:
        broken = list(check(index, cache_dir=cache_dir))
        pixels, view = StreamedImages(index, resolution, workers), "middle"
    if broken and not skip_broken:
        raise broken_images(index, broken)

    offsets = dict(zip(index.labels, np.cumsum([0, *index.counts.values()]), strict=False))
    rows = {name: offsets[splits[name].part] + splits[name].indices for name in NAMES}
    bad = np.array([offsets[entry.part] + entry.position for entry in broken], np.int64)
    kept = {name: of_split[~np.isin(of_split, bad)] for name, of_split in rows.items()}
    mean, std = channel_statistics(pixels, kept["train"])
    return ImageData(
        pixels=pixels,
        view=view,
        labels=torch.from_numpy(np.concatenate([index.labels[part] for part in index.labels])),
        rows=kept,
        mean=mean,
        std=std,
        classes=index.classes,
        flip_safe=index.flip_safe,
        skipped=sum(len(rows[name]) - len(kept[name]) for name in NAMES),
    )


def channel_statistics(pixels: Pixels, rows: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel over ``rows``, or an even choice of 4096 of them, with white as 1."""
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), STATISTICS_IMAGES)).astype(np.int64))]
    batches = [chosen[start : start + STATISTICS_BATCH] for start in range(0, len(chosen), STATISTICS_BATCH)]
    total = np.zeros(pixels.channels, np.int64)
    squares = np.zeros(pixels.channels, np.int64)
    for images in pixels.plain(batches, torch.device("cpu")):
        values = images.numpy()  # integers, so that the sums are exact
        total += values.sum(axis=(0, 2, 3), dtype=np.int64)
        squares += np.square(values, dtype=np.int64).sum(axis=(0, 2, 3))
    count = len(chosen) * pixels.resolution**2
    mean = total / count
    # At least one of 255 steps, so that a constant channel does not divide by zero.
    std = np.maximum(np.sqrt(np.maximum(squares / count - mean**2, 0)), 1)
    return tuple((mean / 255).tolist()), tuple((std / 255).tolist())
