"""Images that are files: how they are listed, measured, fingerprinted and read. Shared by all sources made of files."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from trionet_bench.data.images import SUFFIXES, header
from trionet_bench.data.pipeline.splits import stratified
from trionet_bench.data.sources.base import Index, Reader, Uri, sha256, some, unknown_classes
from trionet_bench.errors import DataError
from trionet_bench.randomness import derived_generator

HEADERS_READ = 512
SPLIT_SEED = 0  # of test parts that we draw because there is no official one; never a suite's seed


class File(NamedTuple):
    """One image file: its path below the root, with slashes, its size in bytes, and the name of its class."""

    path: str
    size: int
    label: str


@dataclass(frozen=True, eq=False)
class FileReader:
    """Reads images from paths below ``root``, by part."""

    root: Path
    paths: Mapping[str, tuple[str, ...]]

    def read(self, part: str, position: int) -> Image.Image:
        return Image.open(self.root / self.paths[part][position])

    def item(self, part: str, position: int) -> str:
        return self.paths[part][position]

    def arrays(self, part: str) -> None:
        return None


def class_folders(root: Path, folder: str = "") -> list[str]:
    """Names of the folders in ``root/folder``, sorted, without hidden ones."""
    return sorted(entry.name for entry in os.scandir(root / folder) if entry.is_dir() and not _hidden(entry.name))


def files_by_class(root: Path, folder: str = "", classes: Iterable[str] | None = None) -> list[File]:
    """The image files below each class folder of ``root/folder``, in order of class and path."""
    names = class_folders(root, folder) if classes is None else classes
    return [file for name in names for file in _below(root, f"{folder}/{name}" if folder else name, name)]


def _below(root: Path, folder: str, label: str) -> list[File]:
    """Image files in a folder, then those in its folders; a class folder may have folders of its own."""
    found: list[File] = []
    folders = []
    for entry in sorted(os.scandir(root / folder), key=lambda entry: entry.name):
        if _hidden(entry.name):
            continue
        if entry.is_dir():
            folders.append(entry.name)
        elif entry.name.lower().endswith(SUFFIXES):
            found.append(File(f"{folder}/{entry.name}", entry.stat().st_size, label))
    return found + [file for name in folders for file in _below(root, f"{folder}/{name}", label)]


def _hidden(name: str) -> bool:
    return name.startswith((".", "__"))


def listed_files(uri: Uri, root: Path, entries: Iterable[tuple[str, str]]) -> list[File]:
    """Files that a list names as (path below root, class); DataError naming those that are not there."""
    found, missing = [], []
    for path, label in entries:
        try:
            found.append(File(path, os.stat(root / path).st_size, label))
        except OSError:
            missing.append(path)
    if missing:
        raise DataError(
            f"{uri.text}: {len(missing)} of {len(found) + len(missing)} listed images are not under {root}: "
            f"{some(missing)}. Unpack the archive again, or correct the list."
        )
    return found


def hold_out(files: Sequence[File], count: int) -> dict[str, list[File]]:
    """Train and a stratified test part of ``count`` files, drawn by their sorted paths: the same for every run."""
    ordered = sorted(files)
    numbers = np.unique([file.label for file in ordered], return_inverse=True)[1]
    chosen = set(stratified(numbers, count, derived_generator(SPLIT_SEED, "test")).tolist())
    return {
        "train": [file for position, file in enumerate(ordered) if position not in chosen],
        "test": [file for position, file in enumerate(ordered) if position in chosen],
    }


def index_of_files(
    uri: Uri,
    root: Path,
    parts: Mapping[str, Sequence[File]],
    name: str,
    classes: Sequence[str] | None = None,
    warnings: Sequence[str] = (),
) -> Index:
    """An index over files by part. Without ``classes`` the class list is what train has, sorted.

    A class of any part that is not in the list is a DataError that names it.
    """
    classes = tuple(classes if classes is not None else sorted({file.label for file in parts["train"]}))
    if not parts["train"]:
        raise DataError(f"{uri.text}: there is no train image below {root}.")
    numbers = {label: number for number, label in enumerate(classes)}
    for part, files in parts.items():
        if unknown := sorted({file.label for file in files} - set(classes)):
            raise unknown_classes(uri.text, part, unknown)
    reader = FileReader(root, {part: tuple(file.path for file in files) for part, files in parts.items()})
    native_size, channels = survey(uri, reader, len(parts["train"]))
    lines = [f"{part}\t{file.path}\t{file.size}\t{numbers[file.label]}" for part in parts for file in parts[part]]
    return Index(
        uri=uri.text,
        name=name,
        classes=classes,
        channels=channels,
        native_size=native_size,
        labels={part: np.array([numbers[file.label] for file in files], np.int64) for part, files in parts.items()},
        reader=reader,
        fingerprint=sha256(*sorted(lines), *classes),
        warnings=tuple(warnings),
    )


def survey(uri: Uri, reader: Reader, count: int) -> tuple[int, int]:
    """Median short side, and 1 channel if all images are grey, else 3; from the heads of train images spread evenly."""
    heads = []
    for position in np.unique(np.linspace(0, count - 1, min(count, HEADERS_READ)).astype(int)):
        try:
            with reader.read("train", int(position)) as image:
                heads.append(header(image))
        except (OSError, ValueError, SyntaxError):
            continue  # decoding will name the broken image
    if not heads:
        raise DataError(f"{uri.text}: no train image can be read; the first is {reader.item('train', 0)}.")
    return int(np.median([side for side, _ in heads])), 1 if all(grey for _, grey in heads) else 3
