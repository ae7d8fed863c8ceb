"""Small test images for reports."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trionet_bench.data.sources.opening import open_source
from trionet_bench.records.task_info import TaskInfo
from trionet_bench.tasks.registry import resolve_task

THUMBNAIL = 96  # pixels, the longer side
Pixels = NDArray[np.uint8]
ImageReader = Callable[[str, str, Sequence[int], Sequence[int], TaskInfo], list[Pixels] | None]


def image_reader(data_root: Path | None = None, base: Path | None = None) -> ImageReader:
    """A function from the URI of a source, its fingerprint, positions among the test images of a task, and the labels
    there, to thumbnails.

    Args:
        data_root: folder of the named data sets.
        base: folder that relative paths start from.

    It returns a uint8 array (height, width, 3) for each position, with a longer side of at most ``THUMBNAIL`` pixels;
    None where the source cannot be read, has another content or has other labels at these positions.
    """

    def read(
        source: str, fingerprint: str, positions: Sequence[int], labels: Sequence[int], task: TaskInfo
    ) -> list[Pixels] | None:
        try:
            index = open_source(source, data_root, base)
            if index.fingerprint != fingerprint:
                return None
            tested = resolve_task({"name": task.name, **task.options}).test_images(index)
            present, places = tested.labels(index), tested.places
            if any(p >= len(present) or present[p] != label for p, label in zip(positions, labels, strict=True)):
                return None
            pixels = []
            for position in positions:
                image = index.read(*places[position]).convert("RGB")
                image.thumbnail((THUMBNAIL, THUMBNAIL))
                pixels.append(np.asarray(image))
        except Exception:  # decoders raise errors of any type
            return None
        return pixels

    return read
