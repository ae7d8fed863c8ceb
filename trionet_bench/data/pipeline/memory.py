"""Data sets that fit into memory: every image is decoded once, to a square of the working resolution."""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from trionet_bench.data.digest import sha256
from trionet_bench.data.images import centre_square
from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.broken_images import BrokenImage, decode_each
from trionet_bench.data.pipeline.transforms import Augmentation, BatchRequest
from trionet_bench.files import atomic_file, write_atomically

CHUNK = 2048  # images that are resized at a time
CACHE_VERSION = "1"  # part of the names of cached files: raised when decoding or resizing changes


class MemoryImages:
    """All images of a data set as one uint8 tensor (N, C, R, R), augmented a batch at a time on the training device."""

    in_memory = True

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self._copies: dict[torch.device, Tensor] = {}

    @property
    def channels(self) -> int:
        """C."""
        return self.images.shape[1]

    @property
    def resolution(self) -> int:
        """R."""
        return self.images.shape[-1]

    def on(self, device: torch.device) -> Tensor:
        """All images on a device, copied there once."""
        if device not in self._copies:
            self._copies[device] = self.images.to(device)
        return self._copies[device]

    def unaugmented(self, batches: Iterable[np.ndarray], device: torch.device) -> Iterator[Tensor]:
        """The images of each list of rows, uint8 (B, C, R, R)."""
        for rows in batches:
            yield self.on(device)[torch.from_numpy(rows).to(device)]

    def augmented(
        self, requests: Iterable[BatchRequest], augmentation: Augmentation, device: torch.device
    ) -> Iterator[Tensor]:
        """The requested images of each batch, augmented, uint8 (B, C, R, R)."""
        for request in requests:
            yield augmentation.of_batch(self.on(device)[torch.from_numpy(request.rows).to(device)], request)


def decode_index(index: Index, resolution: int, cache_dir: Path | None) -> tuple[np.ndarray, list[BrokenImage]]:
    """All images of all parts, uint8 (N, C, R, R), and those that could not be decoded, which are black.

    Decoded files are stored in ``cache_dir`` where it is given. They are memory-mapped from there, so that the
    processes of a machine share one copy.
    """
    stored = [array for part in index.labels if (array := index.arrays(part)) is not None]
    if stored:
        return np.concatenate([resize_arrays(array, resolution) for array in stored]), []
    if cache_dir is None:
        return decode_files(index, resolution)
    name = f"images-{sha256(index.fingerprint, str(resolution), CACHE_VERSION)[:24]}"
    pixels_path, broken_path = cache_dir / f"{name}.npy", cache_dir / f"{name}.json"
    if not pixels_path.is_file():
        images, broken = decode_files(index, resolution)
        write_atomically(broken_path, json.dumps(broken))
        with atomic_file(pixels_path) as file:
            np.save(file, images)
    # Copy-on-write, since torch warns of memory that is not writable; nothing is written to it.
    pixels: np.ndarray = np.load(pixels_path, mmap_mode="c")
    return pixels, [BrokenImage(*entry) for entry in json.loads(broken_path.read_text())]


def decode_files(index: Index, resolution: int) -> tuple[np.ndarray, list[BrokenImage]]:
    """As ``decode_index``, from image files and without a cache."""
    images = np.zeros((sum(index.counts.values()), index.channels, resolution, resolution), np.uint8)
    broken: list[BrokenImage] = []
    offset = 0
    for part, count in index.counts.items():
        broken += decode_each(index, part, partial(_decode_into, images[offset : offset + count], index))
        offset += count
    return images, broken


def _decode_into(images: np.ndarray, index: Index, part: str, position: int) -> None:
    with index.read(part, position) as image:
        images[position] = centre_square(image, images.shape[-1], index.channels)


def resize_arrays(stored: np.ndarray, resolution: int) -> np.ndarray:
    """The central squares of uint8 images (N, H, W, C), resized to (N, C, R, R)."""
    count, height, width, channels = stored.shape
    images = np.empty((count, channels, resolution, resolution), np.uint8)
    for start in range(0, count, CHUNK):
        chunk = torch.from_numpy(np.array(stored[start : start + CHUNK])).permute(0, 3, 1, 2)
        squares = functional.center_crop(chunk, [min(height, width)]).contiguous()
        images[start : start + CHUNK] = functional.resize(squares, [resolution, resolution], antialias=True).numpy()
    return images
