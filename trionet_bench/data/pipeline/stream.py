"""Big sets: images are decoded when they are needed, by worker processes, and augmented one at a time."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from trionet_bench.data.images import plain, square
from trionet_bench.data.pipeline.transforms import Augmentation, Step
from trionet_bench.data.sources.base import Index

# Without augmentation the middle of an image is shown, 224 of 256 pixels of its short side: random resized crops
# show objects larger than whole images do.
MIDDLE = 7 / 8


class Decoder(Dataset[Tensor]):
    """One uint8 image (C, R, R) for a (row, seed); a plain value that worker processes receive."""

    def __init__(self, index: Index, resolution: int, augmentation: Augmentation | None) -> None:
        self.index, self.resolution, self.augmentation = index, resolution, augmentation
        self.parts = list(index.labels)
        self.ends = np.cumsum(list(index.counts.values()))

    def __getitem__(self, request: tuple[int, int]) -> Tensor:
        row, seed = request
        number = int(np.searchsorted(self.ends, row, side="right"))
        start = int(self.ends[number - 1]) if number else 0
        with self.index.read(self.parts[number], row - start) as image:
            if self.augmentation:
                return self.augmentation.of_image(plain(image, self.index.channels), seed)
            return torch.from_numpy(middle(image, self.resolution, self.index.channels))


def middle(image: Image.Image, resolution: int, channels: int) -> np.ndarray:
    """The middle of the image, uint8 (C, R, R)."""
    side = round(resolution / MIDDLE)
    edge = (side - resolution) // 2
    kept = slice(edge, edge + resolution)
    return np.ascontiguousarray(square(image, side, channels)[:, kept, kept])


class StreamedImages:
    """Images of a data set that stay where they are until a batch asks for them."""

    def __init__(self, index: Index, resolution: int, workers: int) -> None:
        self.index, self.resolution, self.workers = index, resolution, workers

    @property
    def channels(self) -> int:
        return self.index.channels

    def plain(self, batches: Iterable[np.ndarray], device: torch.device) -> Iterator[Tensor]:
        """The middle of the images of each list of rows, uint8 (B, C, R, R)."""
        return self._decoded(None, ([(int(row), 0) for row in rows] for rows in batches), device)

    def augmented(self, steps: Iterable[Step], augmentation: Augmentation, device: torch.device) -> Iterator[Tensor]:
        """The wanted images of each step, augmented, uint8 (B, C, R, R)."""
        requests = (
            [(int(row), seed) for row, seed in zip(step.rows[step.wanted], step.image_seeds(), strict=True)]
            for step in steps
        )
        return self._decoded(augmentation, requests, device)

    def _decoded(
        self, augmentation: Augmentation | None, requests: Iterable[list[tuple[int, int]]], device: torch.device
    ) -> Iterator[Tensor]:
        loader = DataLoader(
            Decoder(self.index, self.resolution, augmentation),
            batch_sampler=requests,
            num_workers=self.workers,
            collate_fn=torch.stack,
            pin_memory=device.type == "cuda",
        )
        for images in loader:
            yield images.to(device, non_blocking=True)
