"""Small sets: every image decoded once, square and at the working resolution, all of them in one uint8 array."""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from trionet_bench.data.images import square
from trionet_bench.data.pipeline.check import Broken, try_all
from trionet_bench.data.pipeline.transforms import Augmentation, Step
from trionet_bench.data.sources.base import Index, sha256
from trionet_bench.files import atomic_file, write_atomically

CHUNK = 2048
CACHE_VERSION = "1"  # raised when decoding or resizing changes


class MemoryImages:
    """All images of a data set as one uint8 tensor (N, C, R, R), augmented a batch at a time where training happens."""

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self._copies: dict[torch.device, Tensor] = {}

    @property
    def channels(self) -> int:
        return self.images.shape[1]

    @property
    def resolution(self) -> int:
        return self.images.shape[-1]

    def on(self, device: torch.device) -> Tensor:
        """All images on a device, copied there once."""
        if device not in self._copies:
            self._copies[device] = self.images.to(device)
        return self._copies[device]

    def plain(self, batches: Iterable[np.ndarray], device: torch.device) -> Iterator[Tensor]:
        """The images of each list of rows, as they are."""
        for rows in batches:
            yield self.on(device)[torch.from_numpy(rows).to(device)]

    def augmented(self, steps: Iterable[Step], augmentation: Augmentation, device: torch.device) -> Iterator[Tensor]:
        """The wanted images of each step, augmented."""
        for step in steps:
            yield augmentation.of_batch(self.on(device)[torch.from_numpy(step.rows).to(device)], step)


def decode(index: Index, resolution: int, cache_dir: Path | None) -> tuple[np.ndarray, list[Broken]]:
    """All images of all parts, uint8 (N, C, R, R), and those that could not be decoded (they stay black).

    Decoded files are kept in ``cache_dir``, from where all processes of a machine share one copy in memory.
    """
    stored = [array for part in index.labels if (array := index.arrays(part)) is not None]
    if stored:
        return np.concatenate([resize_arrays(array, resolution) for array in stored]), []
    if cache_dir is None:
        return decode_files(index, resolution)
    name = f"images-{sha256(index.fingerprint, str(resolution), CACHE_VERSION)[:24]}"
    pixels, faults = cache_dir / f"{name}.npy", cache_dir / f"{name}.json"
    if not pixels.is_file():
        images, broken = decode_files(index, resolution)
        write_atomically(faults, json.dumps(broken))
        with atomic_file(pixels) as file:
            np.save(file, images)
    # Mapped copy-on-write, as torch wants writable memory; nothing writes to it.
    return np.load(pixels, mmap_mode="c"), [Broken(*entry) for entry in json.loads(faults.read_text())]


def decode_files(index: Index, resolution: int) -> tuple[np.ndarray, list[Broken]]:
    """The same, from the files."""
    images = np.zeros((sum(index.counts.values()), index.channels, resolution, resolution), np.uint8)
    broken: list[Broken] = []
    offset = 0
    for part, count in index.counts.items():
        broken += try_all(index, part, partial(_decode_into, images[offset : offset + count], index))
        offset += count
    return images, broken


def _decode_into(images: np.ndarray, index: Index, part: str, position: int) -> None:
    with index.read(part, position) as image:
        images[position] = square(image, images.shape[-1], index.channels)


def resize_arrays(stored: np.ndarray, resolution: int) -> np.ndarray:
    """The central squares of uint8 (N, H, W, C) at the resolution: (N, C, R, R)."""
    count, height, width, channels = stored.shape
    images = np.empty((count, channels, resolution, resolution), np.uint8)
    for start in range(0, count, CHUNK):
        chunk = torch.from_numpy(np.array(stored[start : start + CHUNK])).permute(0, 3, 1, 2)
        squares = functional.center_crop(chunk, [min(height, width)]).contiguous()
        images[start : start + CHUNK] = functional.resize(squares, [resolution, resolution], antialias=True).numpy()
    return images
