"""Images that are arrays already: read when they are first asked for, fingerprinted from the files that hold them."""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trionet_bench.data.sources.base import Index, Uri, sha256

if TYPE_CHECKING:
    from PIL.Image import Image

END_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class ArrayReader:
    """Images that ``load`` gives as uint8 (N, H, W, C), a part at a time. ``load`` must be picklable."""

    load: Callable[[str], np.ndarray]
    _loaded: dict[str, np.ndarray] = field(default_factory=dict)

    def read(self, part: str, position: int) -> "Image":
        from PIL import Image  # not for a plan, which reads no image

        image = self.arrays(part)[position]  # (H, W, C)
        return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)

    def item(self, part: str, position: int) -> str:
        return f"{part} image {position}"

    def arrays(self, part: str) -> np.ndarray:
        if part not in self._loaded:
            self._loaded[part] = self.load(part)
        return self._loaded[part]

    def __getstate__(self) -> dict[str, Any]:
        return {"load": self.load, "_loaded": {}}  # worker processes load what they need themselves


def index_of_arrays(
    uri: Uri,
    name: str,
    classes: Sequence[str],
    labels: Mapping[str, np.ndarray],
    load: Callable[[str], np.ndarray],
    shape: tuple[int, int],
    content: Sequence[str],
) -> Index:
    """An index over arrays of images, ``shape`` being (side, channels); ``content`` fingerprints the images."""
    labels = {part: np.asarray(values, np.int64) for part, values in labels.items()}
    values = [f"{part} {numbers.tolist()}" for part, numbers in labels.items()]
    return Index(
        uri=uri.text,
        name=name,
        classes=tuple(classes),
        channels=shape[1],
        native_size=shape[0],
        labels=labels,
        reader=ArrayReader(load),
        fingerprint=sha256(*content, *values),
    )


def file_content(path: Path) -> str:
    """Stands for a file's content without reading all of a big one: its size, and a hash of its first and last MiB."""
    size = path.stat().st_size
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(END_BYTES))
        if size > END_BYTES:
            file.seek(max(END_BYTES, size - END_BYTES), io.SEEK_SET)
            digest.update(file.read())
    return f"{size} {digest.hexdigest()}"
