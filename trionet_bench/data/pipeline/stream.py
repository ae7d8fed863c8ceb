"""Data sets that do not fit into memory: worker processes decode images when a batch needs them, one at a time."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from trionet_bench.data.images import centre_square, to_grey_or_rgb
from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.transforms import Augmentation, BatchRequest
from trionet_bench.data.reading import reason_of
from trionet_bench.errors import DataError

# Share of the short side that evaluation keeps, 224 of 256 pixels: random resized crops of training show objects larger
# than complete images do.
CROP_SHARE = 7 / 8


class DecodingDataset(Dataset[Tensor]):
    """uint8 images (C, R, R) by (row, seed). It is pickled and sent to worker processes.

    Without ``augmentation`` an image is its ``centre_crop``, and the seed has no effect. DataError names an image that
    was found sound and cannot be decoded any more.
    """

    def __init__(self, index: Index, resolution: int, augmentation: Augmentation | None) -> None:
        self.index, self.resolution, self.augmentation = index, resolution, augmentation
        self.parts = list(index.labels)
        self.ends = np.cumsum(list(index.counts.values()))

    def __getitem__(self, request: tuple[int, int]) -> Tensor:
        row, seed = request
        number = int(np.searchsorted(self.ends, row, side="right"))
        part, position = self.parts[number], row - (int(self.ends[number - 1]) if number else 0)
        try:
            with self.index.read(part, position) as image:
                if self.augmentation:
                    return self.augmentation.of_image(to_grey_or_rgb(image, self.index.channels), seed)
                return torch.from_numpy(centre_crop(image, self.resolution, self.index.channels))
        except Exception as error:  # decoders raise errors of any type
            item = self.index.item(part, position)
            raise DataError(
                f"{self.index.uri}: {item} could be decoded before and cannot be now: {reason_of(error)}. "
                "Restore the file and start the run again."
            ) from error


def centre_crop(image: Image.Image, resolution: int, channels: int) -> np.ndarray:
    """The middle 7/8 of the central square of the image, resized to uint8 (C, R, R)."""
    side = round(resolution / CROP_SHARE)
    edge = (side - resolution) // 2
    inner = slice(edge, edge + resolution)
    return np.ascontiguousarray(centre_square(image, side, channels)[:, inner, inner])


class StreamedImages:
    """Images of a data set that are decoded for each batch.

    Args:
        workers: processes that decode; 0 decodes in this process. The number changes no batch.
    """

    in_memory = False

    def __init__(self, index: Index, resolution: int, workers: int) -> None:
        self.index, self.resolution, self.workers = index, resolution, workers

    @property
    def channels(self) -> int:
        """C."""
        return self.index.channels

    def unaugmented(self, batches: Iterable[np.ndarray], device: torch.device) -> Iterator[Tensor]:
        """The centre crops of each list of rows, uint8 (B, C, R, R)."""
        return self._decoded(None, ([(int(row), 0) for row in rows] for rows in batches), device)

    def augmented(
        self, requests: Iterable[BatchRequest], augmentation: Augmentation, device: torch.device
    ) -> Iterator[Tensor]:
        """The requested images of each batch, augmented, uint8 (B, C, R, R)."""
        rows_and_seeds = (
            [(int(row), seed) for row, seed in zip(request.rows[request.positions], request.image_seeds(), strict=True)]
            for request in requests
        )
        return self._decoded(augmentation, rows_and_seeds, device)

    def _decoded(
        self, augmentation: Augmentation | None, batches: Iterable[list[tuple[int, int]]], device: torch.device
    ) -> Iterator[Tensor]:
        loader = DataLoader(
            DecodingDataset(self.index, self.resolution, augmentation),
            batch_sampler=batches,
            num_workers=self.workers,
            collate_fn=torch.stack,
            pin_memory=device.type == "cuda",
        )
        try:
            for images in loader:
                yield images.to(device, non_blocking=True)
        except DataError as error:  # what a worker process says comes with its traceback before it
            raise DataError(str(error).rpartition("DataError: ")[2].strip()) from error
