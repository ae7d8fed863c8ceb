"""A loaded data set, and subsets of its images."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from trionet_bench.data.pipeline.evaluation_view import View
from trionet_bench.data.pipeline.transforms import Augmentation, BatchRequest


class Pixels(Protocol):
    """Gives the uint8 images of a data set by row; implemented in memory and as a stream.

    A row numbers an image over all parts of the source, in their order.
    """

    @property
    def in_memory(self) -> bool:
        """Whether images are decoded already."""

    @property
    def channels(self) -> int:
        """C."""

    @property
    def resolution(self) -> int:
        """R, the side of an image in pixels."""

    def unaugmented(self, batches: Iterable[np.ndarray], device: torch.device) -> Iterator[Tensor]:
        """Images as evaluation sees them, uint8 (B, C, R, R) for each array of rows (B,)."""

    def augmented(
        self, requests: Iterable[BatchRequest], augmentation: Augmentation, device: torch.device
    ) -> Iterator[Tensor]:
        """Images as training sees them, uint8 (B, C, R, R) for each request."""


@dataclass(frozen=True, eq=False)
class ImageData:
    """A data set that is ready for batches.

    Args:
        pixels: the images.
        view: how evaluation preprocesses an image.
        labels: int64 (N,), by row.
        rows: the rows of each split, int64.
        mean, std: per channel over the train split, where white is 1.
        classes: names of the classes.
        flip_safe: whether images may be mirrored.
        skipped: number of images that are left out because they cannot be decoded.
    """

    pixels: Pixels
    view: View
    labels: Tensor
    rows: dict[str, np.ndarray]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    flip_safe: bool
    skipped: int = 0

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return self.pixels.channels

    @property
    def resolution(self) -> int:
        """Side of an image in pixels."""
        return self.pixels.resolution

    def part(self, name: str) -> "ImageSet":
        """One split: train, search_val, val or test."""
        return self.parts(name)

    def parts(self, *names: str) -> "ImageSet":
        """Several splits as one set, in the order given."""
        return ImageSet(self, np.concatenate([self.rows[name] for name in names]))

    def normalised(self, images: Tensor) -> Tensor:
        """uint8 images (B, C, R, R) as float32, each channel with mean 0 and deviation 1 over the train split."""
        mean = torch.tensor(self.mean, device=images.device)[:, None, None] * 255
        std = torch.tensor(self.std, device=images.device)[:, None, None] * 255
        return images.float().sub_(mean).div_(std)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """The images of some rows of a data set."""

    data: ImageData
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def images(self) -> Tensor:
        """uint8 (N, C, R, R), a copy; a streamed set is decoded for it."""
        return next(self.data.pixels.unaugmented([self.rows], torch.device("cpu")))

    @property
    def labels(self) -> Tensor:
        """int64 (N,)."""
        return self.data.labels[torch.from_numpy(self.rows)]
