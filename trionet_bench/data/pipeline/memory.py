"""Data sets that fit into memory: every image is decoded once, to a square of the working resolution."""

import logging
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from trionet_bench.data.content import cache_name, check_unchanged
from trionet_bench.data.images import centre_square
from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.broken_images import BrokenImage, decode_each, load_broken, save_broken
from trionet_bench.data.pipeline.transforms import Augmentation, BatchRequest
from trionet_bench.errors import StoreError
from trionet_bench.files import atomic_file

CHUNK = 2048  # images that are resized at a time
CACHE_VERSION = "2"  # part of the names of cached files: raised when decoding or resizing changes


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

    Decoded files are stored in ``cache_dir`` where it is given, under the content of the images. They are memory-mapped
    from there, so that the processes of a machine share one copy. DataError where files were changed since the index
    was made.
    """
    stored = [array for part in index.labels if (array := index.arrays(part)) is not None]
    if stored:
        images = np.concatenate([resize_arrays(array, resolution) for array in stored])
        check_unchanged(index)
        return images, []
    what = ("images", CACHE_VERSION, str(resolution), str(index.channels))
    name = cache_name(index, *what) if cache_dir else ""
    kept = cache_dir and _Kept(cache_dir / f"images-{name}.npy", cache_dir / f"images-{name}.json")
    if kept and (known := kept.load(index, resolution)) is not None:
        return known
    images, broken = decode_files(index, resolution)
    check_unchanged(index)
    if kept and name == cache_name(index, *what) and kept.save(images, broken):
        return kept.load(index, resolution) or (images, broken)
    return images, broken


class _Kept(NamedTuple):
    """The files of a decoded set."""

    pixels: Path
    broken: Path

    def load(self, index: Index, resolution: int) -> tuple[np.ndarray, list[BrokenImage]] | None:
        """What was saved; None where there is nothing, or not as it was written."""
        broken = load_broken(self.broken, index)
        try:
            # Copy-on-write, since torch warns of memory that is not writable; nothing is written to it.
            pixels: np.ndarray = np.load(self.pixels, mmap_mode="c")
        except (OSError, ValueError):
            return None
        shape = (sum(index.counts.values()), index.channels, resolution, resolution)
        sound = pixels.shape == shape and pixels.dtype == np.dtype(np.uint8)
        return (pixels, broken) if broken is not None and sound else None

    def save(self, images: np.ndarray, broken: list[BrokenImage]) -> bool:
        """Keep what was decoded; False where that cannot be, which is a warning where the disk refuses."""
        if not save_broken(self.broken, broken):
            return False
        try:
            with atomic_file(self.pixels) as file:
                np.save(file, images)
        except StoreError as error:
            logging.getLogger(__name__).warning("%s Images will be decoded again.", error)
            return False
        return True


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
