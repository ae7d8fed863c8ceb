"""Small sets: every image decoded once, square and at the working resolution, all of them in one uint8 array."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torchvision.transforms.v2 import functional

from trionet_bench.data.images import square
from trionet_bench.data.source import Index

CHUNK = 2048


def decode_part(index: Index, part: str, resolution: int) -> tuple[np.ndarray, dict[int, str]]:
    """All images of a part, uint8 (N, C, R, R), and why some could not be decoded, by position (these stay black)."""
    stored = index.arrays(part)
    if stored is not None:
        return resize_arrays(stored, resolution), {}
    images = np.zeros((len(index.labels[part]), index.channels, resolution, resolution), np.uint8)

    def decode(position: int) -> str | None:
        try:
            with index.read(part, position) as image:
                images[position] = square(image, resolution, index.channels)
        except Exception as error:      # decoders raise what they like; whatever it is, this image is broken
            return str(error) or type(error).__name__
        return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:                # decoding releases the interpreter's lock
        faults = list(pool.map(decode, range(len(images))))
    return images, {position: fault for position, fault in enumerate(faults) if fault}


def resize_arrays(stored: np.ndarray, resolution: int) -> np.ndarray:
    """The central squares of uint8 (N, H, W, C) at the resolution: (N, C, R, R)."""
    count, height, width, channels = stored.shape
    images = np.empty((count, channels, resolution, resolution), np.uint8)
    for start in range(0, count, CHUNK):
        chunk = np.ascontiguousarray(stored[start : start + CHUNK].transpose(0, 3, 1, 2))
        squares = functional.center_crop(torch.from_numpy(chunk), [min(height, width)])
        images[start : start + CHUNK] = functional.resize(squares, [resolution, resolution], antialias=True).numpy()
    return images


def channel_statistics(images: np.ndarray, rows: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel over ``rows`` of uint8 (N, C, R, R), with white as 1; the sums are exact."""
    total = np.zeros(images.shape[1], np.int64)
    squares = np.zeros(images.shape[1], np.int64)
    for start in range(0, len(rows), CHUNK):
        chunk = images[rows[start : start + CHUNK]]
        total += chunk.sum(axis=(0, 2, 3), dtype=np.int64)
        squares += np.square(chunk, dtype=np.int64).sum(axis=(0, 2, 3))
    pixels = len(rows) * images.shape[2] * images.shape[3]
    mean = total / pixels
    # At least one step of 8 bits, so that a constant channel does not divide by zero.
    std = np.maximum(np.sqrt(np.maximum(squares / pixels - mean**2, 0)), 1)
    return tuple((mean / 255).tolist()), tuple((std / 255).tolist())
