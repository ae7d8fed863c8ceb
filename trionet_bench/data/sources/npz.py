"""``npz:PATH``: one file of arrays, named as in MedMNIST.

``train_images`` and ``train_labels``, and the same for val or test or both: images uint8 of (N, H, W) or (N, H, W, 3),
labels integers of (N,) or (N, 1). An optional array ``classes`` names the classes.
"""

import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from trionet_bench.data.index import Index
from trionet_bench.data.sources.arrays import index_of_arrays
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.classes import unknown_classes
from trionet_bench.errors import DataError

PARTS = ("train", "val", "test")
EXPECTED = "Expected are arrays train_images, train_labels, and the same for val or test."


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a file of arrays; DataError where an array is missing or of another type or shape."""
    path = places.resolve(uri.path)
    if not path.is_file():
        raise DataError(f"{uri.text}: {path} is not there. {EXPECTED}")
    try:
        arrays = np.load(path, allow_pickle=False)
    except (zipfile.BadZipFile, ValueError) as error:
        raise DataError(f"{uri.text}: {path} is not an .npz file: {error}. {EXPECTED}") from error
    parts = [part for part in PARTS if {f"{part}_images", f"{part}_labels"} <= set(arrays.files)]
    if "train" not in parts or len(parts) < 2:
        raise DataError(f"{uri.text}: {path} has the arrays {', '.join(arrays.files)}. {EXPECTED}")
    labels = {part: _check_labels(uri, path, arrays[f"{part}_labels"], part) for part in parts}
    values = np.unique(labels["train"])
    names = [str(name) for name in arrays["classes"]] if "classes" in arrays.files else [str(value) for value in values]
    if len(names) != len(values):
        raise DataError(f"{uri.text}: {path} names {len(names)} classes, and train has {len(values)} of them.")
    for part, of_part in labels.items():
        if unknown := sorted(set(of_part.tolist()) - set(values.tolist())):
            raise unknown_classes(uri.text, part, [str(value) for value in unknown], [str(value) for value in values])
    height, width, channels = _image_shape(uri, path, "train")
    return index_of_arrays(
        uri,
        path.stem,
        classes=names,
        labels={part: np.searchsorted(values, of_part) for part, of_part in labels.items()},
        load=partial(_load_images, path),
        shape=(min(height, width), channels),
        content=[path],
    )


def _check_labels(uri: Uri, path: Path, labels: np.ndarray, part: str) -> np.ndarray:
    """Labels as (N,); DataError unless they are one integer for each image."""
    if labels.dtype.kind not in "iu" or labels.size != len(labels):
        raise DataError(
            f"{uri.text}: {part}_labels of {path} are {labels.dtype} of shape {labels.shape}; "
            f"needed is one integer for each image."
        )
    return labels.reshape(-1)


def _image_shape(uri: Uri, path: Path, part: str) -> tuple[int, int, int]:
    """Height, width and channels from the header of the array; the images themselves are not read."""
    with zipfile.ZipFile(path) as members, members.open(f"{part}_images.npy") as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
    if dtype != np.uint8 or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        raise DataError(
            f"{uri.text}: {part}_images of {path} are {dtype} of shape {shape}; "
            f"needed is uint8 of (N, H, W) or (N, H, W, 3), 0 to 255."
        )
    return shape[1], shape[2], shape[3] if len(shape) == 4 else 1


def _load_images(path: Path, part: str) -> np.ndarray:
    """uint8 (N, H, W, C)."""
    images: np.ndarray = np.load(path, allow_pickle=False)[f"{part}_images"]
    return images[..., None] if images.ndim == 3 else images
