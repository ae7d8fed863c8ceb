"""``sklearn:digits``: 1797 grey images of 8x8 that scikit-learn ships in its wheel, so no network is needed.

Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits" (UCI). The file is read directly; importing
scikit-learn for it would take longer than everything else here.
"""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from trionet_bench.data.pipeline.splits import stratified
from trionet_bench.data.sources.arrays import file_content, index_of_arrays
from trionet_bench.data.sources.base import Index, Places, Uri
from trionet_bench.data.sources.catalogue import named_sets
from trionet_bench.errors import DataError, UsageError, nearest
from trionet_bench.randomness import derived_generator

SPLIT_SEED = 0
TEST_IMAGES = 360


def open_index(uri: Uri, places: Places) -> Index:
    if uri.path != "digits":
        raise UsageError(f'{uri.text}: scikit-learn ships no image set "{uri.path}"; {nearest(uri.path, ["digits"])}')
    uri.check_options()
    path = digits_file()
    table = np.loadtxt(gzip.decompress(path.read_bytes()).decode().splitlines(), delimiter=",", dtype=np.int64)
    images = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)  # stored as 0 to 16
    labels = table[:, 64]
    test = stratified(labels, TEST_IMAGES, derived_generator(SPLIT_SEED, "digits", "test"))
    train = np.delete(np.arange(len(labels)), test)
    index = index_of_arrays(
        uri,
        name="digits",
        classes="0123456789",
        labels={"train": labels[train], "test": labels[test]},
        load={"train": images[train], "test": images[test]}.__getitem__,
        shape=(8, 1),
        content=[file_content(path)],
    )
    return named_sets()["digits"].described(index)


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
