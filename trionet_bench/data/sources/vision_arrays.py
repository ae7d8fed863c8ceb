"""Named sets that are arrays: CIFAR, SVHN, STL-10, MNIST. Labels are read at once, images when first needed.

Each public function takes the URI, the folder of the set and its published facts.
"""

import gzip
import math
import pickle
import struct
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from trionet_bench.data.index import Index
from trionet_bench.data.reading import UNPACK, reading
from trionet_bench.data.sources.arrays import index_of_arrays
from trionet_bench.data.sources.base import Uri
from trionet_bench.data.sources.catalogue import NamedSet
from trionet_bench.data.sources.matlab import load_variable
from trionet_bench.data.sources.text import read_text
from trionet_bench.errors import DataError
from trionet_bench.jsontypes import JsonObject

PartFiles = Mapping[str, tuple[str, ...]]

CIFAR10_FILES: PartFiles = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
CIFAR100_FILES: PartFiles = {"train": ("train",), "test": ("test",)}
IDX_PREFIX = {"train": "train", "test": "t10k"}


def cifar10(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """Pickled batches of 32x32 colour images."""
    return _cifar(uri, root / "cifar-10-batches-py", facts, CIFAR10_FILES, ("batches.meta", "label_names", "labels"))


def cifar100(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """Pickled 32x32 colour images, with the fine labels."""
    return _cifar(uri, root / "cifar-100-python", facts, CIFAR100_FILES, ("meta", "fine_label_names", "fine_labels"))


def _cifar(uri: Uri, root: Path, facts: NamedSet, files: PartFiles, keys: tuple[str, str, str]) -> Index:
    """``keys`` are the file with the class names, its key for them, and the key of the labels in the other files."""
    meta, names, labels = keys
    missing = [name for of_part in files.values() for name in of_part if not (root / name).is_file()]
    if missing:
        raise DataError(f"{uri.text}: {', '.join(missing)} is not in {root}. Unpack the archive again.")
    return index_of_arrays(
        uri,
        facts.name,
        classes=_unpickle(root / meta)[names],
        labels={part: np.concatenate([_unpickle(root / name)[labels] for name in files[part]]) for part in files},
        load=partial(_load_cifar, {part: tuple(root / name for name in files[part]) for part in files}),
        shape=(32, 3),
        content=[root / name for part in files for name in files[part]],
    )


def _load_cifar(files: dict[str, tuple[Path, ...]], part: str) -> np.ndarray:
    return np.concatenate([_cifar_images(path) for path in files[part]])


def _cifar_images(path: Path) -> np.ndarray:
    content = _unpickle(path)
    with reading(path, UNPACK):
        planes = np.asarray(content["data"], np.uint8).reshape(-1, 3, 32, 32)
    return planes.transpose(0, 2, 3, 1)


class _ArraysOnly(pickle.Unpickler):
    """Reads pickles of numbers, strings and arrays; a downloaded file that names any other class could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] in ("numpy", "_codecs") and name in ("_reconstruct", "ndarray", "dtype", "encode"):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of images")


def _unpickle(path: Path) -> JsonObject:
    """The dictionary in a CIFAR file, of arrays, lists and strings; DataError for a file that holds anything else."""
    with reading(path, UNPACK), path.open("rb") as file:
        content: JsonObject = _ArraysOnly(file, encoding="latin1").load()
    return content


def svhn(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """MATLAB files of 32x32 colour images; label 10 of the files is the digit 0."""
    paths = {part: root / f"{part}_32x32.mat" for part in ("train", "test")}
    return index_of_arrays(
        uri,
        facts.name,
        classes="0123456789",
        labels={part: load_variable(path, "y").reshape(-1).astype(np.int64) % 10 for part, path in paths.items()},
        load=partial(_load_svhn, paths),
        shape=(32, 3),
        content=list(paths.values()),
    )


def _load_svhn(paths: dict[str, Path], part: str) -> np.ndarray:
    stored = load_variable(paths[part], "X")  # (H, W, C, N)
    with reading(paths[part], UNPACK):
        return np.ascontiguousarray(stored.astype(np.uint8, copy=False).transpose(3, 0, 1, 2))


def stl10(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """Binary files of 96x96 colour images; the 100000 unlabelled images are not read."""
    folder = root / "stl10_binary"
    names = folder / "class_names.txt"
    parts = ("train", "test")
    return index_of_arrays(
        uri,
        facts.name,
        classes=read_text(names).split() if names.is_file() else [str(number) for number in range(1, 11)],
        labels={part: _load_stl10_labels(folder / f"{part}_y.bin") for part in parts},
        load=partial(_load_stl10, folder),
        shape=(96, 3),
        content=[folder / f"{part}_X.bin" for part in parts],
    )


def _load_stl10(folder: Path, part: str) -> np.ndarray:
    path = folder / f"{part}_X.bin"
    with reading(path, UNPACK):
        columns = np.memmap(path, np.uint8, mode="r").reshape(-1, 3, 96, 96)  # (N, C, W, H)
    return columns.transpose(0, 3, 2, 1)


def _load_stl10_labels(path: Path) -> np.ndarray:
    with reading(path, UNPACK):
        numbers = np.fromfile(path, np.uint8)  # from 1
    return numbers.astype(np.int64) - 1


def mnist(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """MNIST and Fashion-MNIST: IDX files of 28x28 grey images, compressed by gzip or not."""
    raw = root / facts.name / "raw"
    return index_of_arrays(
        uri,
        facts.name,
        classes=facts.class_names or "0123456789",
        labels={part: _load_idx(_idx_path(raw, part, "labels-idx1")) for part in IDX_PREFIX},
        load=partial(_load_idx_images, raw),
        shape=(28, 1),
        content=[_idx_path(raw, part, "images-idx3") for part in IDX_PREFIX],
    )


def _load_idx_images(raw: Path, part: str) -> np.ndarray:
    path = _idx_path(raw, part, "images-idx3")
    images = _load_idx(path)
    with reading(path, "Get it again."):
        return images[:, :, :, None]


def _idx_path(raw: Path, part: str, kind: str) -> Path:
    plain = raw / f"{IDX_PREFIX[part]}-{kind}-ubyte"
    return plain if plain.is_file() else plain.with_name(f"{plain.name}.gz")


def _load_idx(path: Path) -> np.ndarray:
    """The array of an IDX file, uint8; DataError where the file is cut off or damaged.

    The format is two zero bytes, the type (8 for uint8), the number of dimensions, their sizes as big-endian 32-bit
    integers, the values.
    """
    with reading(path, "Get it again."):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        dimensions = content[3]
        shape = struct.unpack_from(f">{dimensions}I", content, 4)
        values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
        if content[:3] != b"\0\0\x08" or len(values) != math.prod(shape):
            raise DataError(f"{path} is cut off: {len(values)} bytes for an array of {shape}. Get it again.")
    return values.reshape(shape)
