"""``npz:PATH``: one file of arrays, named as in MedMNIST.

``train_images`` and ``train_labels``, and the same for val or test or both. Images are (N, H, W), (N, H, W, 1) or
(N, H, W, 3) of one size and type in all parts: uint8, or other numbers whose range is decided from train, or given by
``?range=LOW,HIGH``. Labels are (N,) or (N, 1), integers or names. An optional array ``classes`` names the classes.
"""

import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from trionet_bench.data.index import Index
from trionet_bench.data.reading import reading
from trionet_bench.data.sources.arrays import index_of_arrays
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.classes import unknown_classes
from trionet_bench.data.sources.labels import label_values
from trionet_bench.data.sources.names import class_name
from trionet_bench.data.sources.scanning import count_left_out
from trionet_bench.data.values import Extent, ValueRange, decide_range, extent_of, to_bytes
from trionet_bench.errors import DataError
from trionet_bench.units import prefixed

PARTS = ("train", "val", "test")
EXPECTED = "Expected are arrays train_images, train_labels, and the same for val or test."
# A file is taken for a bomb where its arrays are this large together, and this many times as large as packed.
BOMB_BYTES = 2**28
BOMB_RATIO = 200
REMEDY = "Restore the file, or save it again as plain numbers with numpy.savez."


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a file of arrays; DataError where an array is missing or of another type or shape."""
    path = places.resolve(uri.path)
    if not path.is_file():
        raise DataError(f"{uri.text}: {places.looked_in(uri.path)} is no file. {EXPECTED}")
    shapes = _read_shapes(uri, path)
    parts = [part for part in PARTS if {f"{part}_images", f"{part}_labels"} <= set(shapes)]
    used = {f"{part}_{what}" for part in parts for what in ("images", "labels")} | {"classes"}
    unused = sorted(set(shapes) - used)
    if alone := [name for name in unused if name.endswith(("_images", "_labels"))]:
        raise DataError(f"{uri.text}: {path} has {', '.join(alone)} without the other of the two. {EXPECTED}")
    if "train" not in parts or len(parts) < 2:
        raise DataError(f"{uri.text}: {path} has the arrays {', '.join(shapes)}. {EXPECTED}")
    labels = {part: _labels_of(uri, path, part) for part in parts}
    _check_shapes(uri, path, {part: (len(labels[part]), *shapes[f"{part}_images"]) for part in parts})
    values = np.unique(labels["train"])
    for part, of_part in labels.items():
        if unknown := sorted(set(of_part.tolist()) - set(values.tolist())):
            raise unknown_classes(uri.text, part, list(map(str, unknown)), list(map(str, values)))
    shape, dtype = shapes["train_images"]
    value_range = None if dtype == np.uint8 else _value_range(uri, path, parts)
    return index_of_arrays(
        uri,
        path.stem,
        classes=_class_names(uri, path, values, named="classes" in shapes),
        labels={part: np.searchsorted(values, of_part) for part, of_part in labels.items()},
        load=partial(_load_images, path, value_range),
        shape=(min(shape[1:3]), shape[3] if len(shape) == 4 else 1),
        content=[path],
        value_range=value_range,
        left_out=count_left_out((name, "array of no part") for name in unused),
    )


Shape = tuple[tuple[int, ...], np.dtype[np.generic]]  # shape and type of an array


def _read_shapes(uri: Uri, path: Path) -> dict[str, Shape]:
    """The shape and type of each array from its header; the arrays themselves are not read."""
    shapes = {}
    with reading(path, f"{REMEDY} {EXPECTED}", f"{uri.text}: "), zipfile.ZipFile(path) as members:
        size = sum(member.file_size for member in members.infolist())
        if size > BOMB_BYTES and size > BOMB_RATIO * path.stat().st_size:
            raise DataError(
                f"{uri.text}: {path} unpacks to {prefixed(size, separator=' ')}B, more than {BOMB_RATIO} times its "
                "size, as files do that are made to fill a memory. If it is yours, save it unpacked, with numpy.savez."
            )
        for name in members.namelist():
            if name.endswith(".npy"):
                with members.open(name) as member:
                    version = np.lib.format.read_magic(member)
                    first = version == (1, 0)
                    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
                    shape, _, dtype = read(member)
                    shapes[name.removesuffix(".npy")] = (shape, dtype)
    return shapes


def _array(path: Path, name: str) -> np.ndarray:
    with reading(path, REMEDY, f"{name} of "), np.load(path, allow_pickle=False) as arrays:
        array: np.ndarray = arrays[name]
    return array


def _labels_of(uri: Uri, path: Path, part: str) -> np.ndarray:
    name = f"{part}_labels"
    return label_values(_array(path, name), f"{uri.text}: {name} of {path}", part)


def _check_shapes(uri: Uri, path: Path, parts: Mapping[str, tuple[int, tuple[int, ...], np.dtype[np.generic]]]) -> None:
    """DataError unless every part has as many labels as images, and images of one size and type."""
    _, like, like_type = parts["train"]
    for part, (labels, shape, dtype) in parts.items():
        where = f"{uri.text}: {part}_images of {path} are {dtype} of shape {shape}"
        if dtype.kind not in "biuf" or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
            raise DataError(f"{where}; needed are numbers of (N, H, W) or (N, H, W, 3).")
        if 0 in shape[1:]:
            raise DataError(f"{where}; they have no pixels.")
        if labels != shape[0]:
            raise DataError(f"{where}, and {part}_labels are {labels}; needed is one label for each image.")
        if dtype != like_type:
            raise DataError(f"{where}, and those of train are {like_type}; save both with the same type and range.")
        channels = [of[3] if len(of) == 4 else 1 for of in (shape, like)]
        if shape[1:3] != like[1:3] or channels[0] != channels[1]:
            raise DataError(f"{where}, and those of train of {like}; save both with the same size and channels.")


def _value_range(uri: Uri, path: Path, parts: list[str]) -> ValueRange:
    """The range of numbers that are not uint8; DataError where another part than train has another."""
    if (given := uri.value_range()) is not None:
        return given
    extents = {part: _extent(uri, path, part) for part in parts}
    decided = decide_range(extents["train"])
    for part, extent in extents.items():
        if decide_range(extent) != decided and not _resembles(extent, extents["train"]):
            raise DataError(
                f"{uri.text}: {part}_images of {path} range from {extent.low:g} to {extent.high:g}, and those of train "
                f"from {extents['train'].low:g} to {extents['train'].high:g}. Save both in one range, or give it as "
                f"?range=LOW,HIGH where they are."
            )
    return decided


def _extent(uri: Uri, path: Path, part: str) -> Extent:
    extent = extent_of([_array(path, f"{part}_images")])
    if extent is None:
        raise DataError(f"{uri.text}: {part}_images of {path} hold no finite number.")
    return extent


def _resembles(one: Extent, other: Extent) -> bool:
    """Whether both extents have nearly the same width and place: each end within half the wider one."""
    width = max(one.high - one.low, other.high - other.low)
    return max(abs(one.low - other.low), abs(one.high - other.high)) <= width / 2


def _class_names(uri: Uri, path: Path, values: np.ndarray, named: bool) -> list[str]:
    names = _array(path, "classes").reshape(-1).tolist() if named else values.tolist()
    if len(names) != len(values):
        raise DataError(f"{uri.text}: {path} names {len(names)} classes, and train has {len(values)} of them.")
    return [class_name(str(name), f"{uri.text}: a class of {path}") for name in names]


def _load_images(path: Path, value_range: ValueRange | None, part: str) -> np.ndarray:
    """uint8 (N, H, W, C)."""
    images = _array(path, f"{part}_images")
    if value_range is not None:
        images = to_bytes(images, value_range)
    return images[..., None] if images.ndim == 3 else images
