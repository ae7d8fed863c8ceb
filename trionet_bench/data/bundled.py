"""``sklearn:digits``: 1797 grey images of 8x8 that scikit-learn ships in its wheel, so no network is needed.

Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits" (UCI). The file is read directly; importing
scikit-learn for it would take longer than everything else here.
"""

import gzip
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trionet_bench.data.source import Index, Places, Uri, sha256
from trionet_bench.data.splits import stratified
from trionet_bench.errors import DataError, UsageError, nearest
from trionet_bench.randomness import derived_generator

if TYPE_CHECKING:
    from PIL.Image import Image

SPLIT_SEED = 0
TEST_IMAGES = 360


@dataclass(frozen=True, eq=False)
class ArrayReader:
    """Images that are arrays in memory: uint8 (N, H, W, C) by part."""

    images: dict[str, np.ndarray]

    def read(self, part: str, position: int) -> "Image":
        from PIL import Image

        image = self.images[part][position]                      # (H, W, C)
        return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)

    def item(self, part: str, position: int) -> str:
        return f"{part} image {position}"

    def arrays(self, part: str) -> np.ndarray:
        return self.images[part]


def open_index(uri: Uri, places: Places) -> Index:
    if uri.path != "digits":
        raise UsageError(f'{uri.text}: scikit-learn ships no image set "{uri.path}"; {nearest(uri.path, ["digits"])}')
    uri.check_options()
    content = digits_file().read_bytes()
    table = np.loadtxt(gzip.decompress(content).decode().splitlines(), delimiter=",", dtype=np.int64)
    images = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)      # stored as 0 to 16
    labels = table[:, 64]
    test = stratified(labels, TEST_IMAGES, derived_generator(SPLIT_SEED, "digits", "test"))
    train = np.setdiff1d(np.arange(len(labels)), test)
    return Index(
        uri=uri.text,
        name="digits",
        classes=tuple("0123456789"),
        channels=1,
        native_size=8,
        labels={"train": labels[train], "test": labels[test]},
        reader=ArrayReader({"train": images[train], "test": images[test]}),
        fingerprint=sha256(content, test.astype("<i8").tobytes()),
        flip_safe=False,
        licence="CC BY 4.0 (UCI Machine Learning Repository)",
        citation="Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository",
    )


def digits_file() -> Path:
    """The file inside the installed scikit-learn, found without importing it."""
    spec = find_spec("sklearn")
    for location in (spec and spec.submodule_search_locations) or []:
        path = Path(location) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return path
    raise DataError(
        "The digits images come with scikit-learn, which is not installed here or lacks datasets/data/digits.csv.gz. "
        "Install it with: pip install scikit-learn"
    )
