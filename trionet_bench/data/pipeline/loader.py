"""Loads the images of an index: into memory where they fit, as a stream where they do not."""

from pathlib import Path

import numpy as np
import torch

from trionet_bench.data.content import check_unchanged
from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.broken_images import broken_images_error, find_broken_images
from trionet_bench.data.pipeline.evaluation_view import View
from trionet_bench.data.pipeline.image_set import ImageData, Pixels
from trionet_bench.data.pipeline.memory import MemoryImages, decode_index
from trionet_bench.data.pipeline.splits import NAMES, Splits
from trionet_bench.data.pipeline.stream import StreamedImages

# Larger sets are streamed. The limit is the same on every machine, since results depend on what is streamed: streamed
# images are cropped from the complete picture, those in memory from its central square.
MEMORY_BYTES = 2 * 2**30
STATISTICS_IMAGES = 4096
STATISTICS_BATCH = 512


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
        resolution: side in pixels to which images are resized.
        workers: processes that decode a streamed set; 0 decodes in this process. They change no batch.
        cache_dir: where decoded images, and the list of broken ones, are stored for the next time.
        skip_broken: leave out images that cannot be decoded, and count them.

    Raises:
        DataError: names the images that cannot be decoded, unless ``skip_broken``; where files were changed since the
            index was made.
    """
    pixels: Pixels
    view: View
    if sum(index.counts.values()) * index.channels * resolution**2 <= MEMORY_BYTES:
        decoded, broken = decode_index(index, resolution, cache_dir)
        pixels = MemoryImages(torch.from_numpy(decoded))
        view = "whole" if index.arrays("train") is None else "array"
    else:
        check_unchanged(index)
        broken = list(find_broken_images(index, cache_dir=cache_dir))
        pixels, view = StreamedImages(index, resolution, workers), "middle"
    if broken and not skip_broken:
        raise broken_images_error(index, broken)

    offsets = dict(zip(index.labels, np.cumsum([0, *index.counts.values()]), strict=False))
    rows = {name: splits[name].numbered(offsets) for name in NAMES}
    broken_rows = np.array([offsets[image.part] + image.position for image in broken], np.int64)
    usable = {name: of_split[~np.isin(of_split, broken_rows)] for name, of_split in rows.items()}
    mean, std = channel_statistics(pixels, usable["train"])
    return ImageData(
        pixels=pixels,
        view=view,
        labels=torch.from_numpy(np.concatenate([index.labels[part] for part in index.labels])),
        rows=usable,
        mean=mean,
        std=std,
        classes=index.classes,
        flip_safe=index.flip_safe,
        skipped=sum(len(rows[name]) - len(usable[name]) for name in NAMES),
    )


def channel_statistics(pixels: Pixels, rows: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over ``rows``, or 4096 of them spread evenly, where white is 1."""
    sample = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), STATISTICS_IMAGES)).astype(np.int64))]
    batches = [sample[start : start + STATISTICS_BATCH] for start in range(0, len(sample), STATISTICS_BATCH)]
    total = np.zeros(pixels.channels, np.int64)
    squares = np.zeros(pixels.channels, np.int64)
    for images in pixels.unaugmented(batches, torch.device("cpu")):
        values = images.numpy()  # integers, so that the sums are exact
        total += values.sum(axis=(0, 2, 3), dtype=np.int64)
        squares += np.square(values, dtype=np.int64).sum(axis=(0, 2, 3))
    count = len(sample) * pixels.resolution**2
    mean = total / count
    # At least one of 255 steps, so that a constant channel does not divide by zero.
    std = np.maximum(np.sqrt(np.maximum(squares / count - mean**2, 0)), 1)
    return tuple((mean / 255).tolist()), tuple((std / 255).tolist())
