"""Images that are stored as arrays: loaded when first asked for, identified by the files that hold them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trionet_bench.data.digest import digest_table, sha256
from trionet_bench.data.index import Content, Index, LeftOut
from trionet_bench.data.sources.base import Uri
from trionet_bench.data.values import ValueRange
from trionet_bench.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, eq=False)
class ArrayReader:
    """Reads images from arrays that ``load`` gives by part, uint8 (N, H, W, C); ``load`` must be picklable.

    Args:
        uri: of the source, for messages.
        shapes: N and C of each part.
    """

    load: Callable[[str], np.ndarray]
    uri: str
    shapes: Mapping[str, tuple[int, int]]
    _loaded: dict[str, np.ndarray] = field(default_factory=dict)

    def read(self, part: str, position: int) -> "Image":
        """One image in mode L or RGB."""
        from PIL import Image  # plans open sources but read no image

        image = self.arrays(part)[position]  # (H, W, C)
        return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)

    def item(self, part: str, position: int) -> str:
        """Part and number of an image."""
        return f"{part} image {position}"

    def arrays(self, part: str) -> np.ndarray:
        """All images of a part, uint8 (N, H, W, C); DataError where they are not as many as it has labels."""
        if part not in self._loaded:
            images = self.load(part)
            if (images.shape[0], images.shape[3]) != self.shapes[part]:
                count, channels = self.shapes[part]
                raise DataError(
                    f"{self.uri}: {part} holds images of shape {images.shape}, and {count} labels of images with "
                    f"{channels} channels. Get its files again, and start again where they were changed meanwhile."
                )
            self._loaded[part] = images
        return self._loaded[part]

    def digests(self, part: str) -> np.ndarray:
        """SHA-256 of the pixels of each image, uint8 (N, 32)."""
        images = np.ascontiguousarray(self.arrays(part))
        return digest_table(image.tobytes() for image in images)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_loaded": {}}  # worker processes load the arrays that they need


def index_of_arrays(
    uri: Uri,
    name: str,
    classes: Sequence[str],
    labels: Mapping[str, np.ndarray],
    load: Callable[[str], np.ndarray],
    shape: tuple[int, int],
    content: Sequence[str | Path],
    value_range: ValueRange | None = None,
    left_out: Sequence[LeftOut] = (),
) -> Index:
    """An index over arrays of images.

    Args:
        labels: integers (N,) by part, positions in ``classes``.
        load: the images of a part, uint8 (N, H, W, C); called when they are first needed, must be picklable.
        shape: short side in pixels and number of channels.
        content: what the images are made from: the files that hold them, and strings that change when the images do,
            such as options.
        value_range: of numbers that ``load`` scaled to 8 bits.
        left_out: what of the files is used for nothing.
    """
    files = [part for part in content if isinstance(part, Path)]
    facts = [part for part in content if isinstance(part, str)]
    labels = {part: np.asarray(of_part, np.int64) for part, of_part in labels.items()}
    label_lists = [f"{part} {of_part.tolist()}" for part, of_part in labels.items()]
    return Index(
        uri=uri.text,
        name=name,
        classes=tuple(classes),
        channels=shape[1],
        native_size=shape[0],
        labels=labels,
        reader=ArrayReader(load, uri.text, {part: (len(of_part), shape[1]) for part, of_part in labels.items()}),
        fingerprint=sha256(*facts, *label_lists, *(classes if files else ())),
        content=Content(files[0].parent, tuple(map(str, files)), formats=()) if files else None,
        value_range=value_range,
        left_out=tuple(left_out),
    )
