"""``sklearn:digits``: 1797 grey images of 8x8 pixels that scikit-learn ships in its wheel.

Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits" (UCI). There is no official test part: 360 images
are held out. The file is read directly, since importing scikit-learn takes longer than everything else here.
"""

import gzip
import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from trionet_bench.data.holdout import hold_out
from trionet_bench.data.index import Index
from trionet_bench.data.reading import reading
from trionet_bench.data.sources.arrays import index_of_arrays
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.catalogue import named_sets
from trionet_bench.errors import DataError, UsageError, nearest

TEST_IMAGES = 360


def open_index(uri: Uri, places: Places) -> Index:
    """The index of the digits; UsageError for another name, DataError where scikit-learn is not installed."""
    if uri.path != "digits":
        raise UsageError(f'{uri.text}: scikit-learn ships no image set "{uri.path}"; {nearest(uri.path, ["digits"])}')
    path = digits_file()
    with reading(path, "Install scikit-learn again."):
        packed = path.read_bytes()
        table = np.loadtxt(gzip.decompress(packed).decode().splitlines(), delimiter=",", dtype=np.int64)
        images = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)  # stored as 0 to 16
    labels = table[:, 64]
    train, test = hold_out(labels, TEST_IMAGES, "digits")
    index = index_of_arrays(
        uri,
        name="digits",
        classes="0123456789",
        labels={"train": labels[train], "test": labels[test]},
        load={"train": images[train], "test": images[test]}.__getitem__,
        shape=(8, 1),
        content=[f"{len(packed)} {hashlib.sha256(packed).hexdigest()}"],
    )
    return named_sets()["digits"].described(index)


def digits_file() -> Path:
    """The file inside the installed scikit-learn, located without importing it; DataError where it is missing."""
    spec = find_spec("sklearn")
    for location in (spec and spec.submodule_search_locations) or []:
        path = Path(location) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return path
    raise DataError(
        "The digits images come with scikit-learn, which is not installed here or lacks datasets/data/digits.csv.gz. "
        "Install it with: pip install scikit-learn"
    )
