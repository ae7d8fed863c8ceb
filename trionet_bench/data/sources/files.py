"""Images that are files: how they are listed, measured, fingerprinted and read. Shared by all sources made of files."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from trionet_bench.data.digest import sha256
from trionet_bench.data.holdout import hold_out
from trionet_bench.data.images import IMAGE_SUFFIXES, read_header
from trionet_bench.data.index import Index, Reader
from trionet_bench.data.sources.base import Uri
from trionet_bench.data.sources.classes import quoted, unknown_classes
from trionet_bench.errors import DataError

HEADERS_READ = 512


class ImageFile(NamedTuple):
    """One image file: path below the root with slashes, size in bytes, name of its class."""

    path: str
    size: int
    label: str


@dataclass(frozen=True, eq=False)
class FileReader:
    """Reads images from paths below ``root``, by part."""

    root: Path
    paths: Mapping[str, tuple[str, ...]]

    def read(self, part: str, position: int) -> Image.Image:
        """One image, opened and not yet decoded."""
        return Image.open(self.root / self.paths[part][position])

    def item(self, part: str, position: int) -> str:
        """The path of an image below the root."""
        return self.paths[part][position]

    def arrays(self, part: str) -> None:
        """None: there are only files."""
        return


def class_folders(root: Path, folder: str = "") -> list[str]:
    """Names of the folders in ``root/folder``, sorted, without hidden ones."""
    return sorted(entry.name for entry in os.scandir(root / folder) if entry.is_dir() and not _is_hidden(entry.name))


def files_by_class(root: Path, folder: str = "", classes: Iterable[str] | None = None) -> list[ImageFile]:
    """The image files below each class folder of ``root/folder``, in order of class and path.

    Without ``classes`` every folder is a class. A class folder may have folders of its own.
    """
    names = class_folders(root, folder) if classes is None else classes
    return [file for name in names for file in _files_below(root, f"{folder}/{name}" if folder else name, name)]


def _files_below(root: Path, folder: str, label: str) -> list[ImageFile]:
    """Image files directly in a folder, then those in its folders, each sorted by name."""
    files: list[ImageFile] = []
    folders = []
    for entry in sorted(os.scandir(root / folder), key=lambda entry: entry.name):
        if _is_hidden(entry.name):
            continue
        if entry.is_dir():
            folders.append(entry.name)
        elif entry.name.lower().endswith(IMAGE_SUFFIXES):
            files.append(ImageFile(f"{folder}/{entry.name}", entry.stat().st_size, label))
    return files + [file for name in folders for file in _files_below(root, f"{folder}/{name}", label)]


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__"))


def listed_files(uri: Uri, root: Path, entries: Iterable[tuple[str, str]]) -> list[ImageFile]:
    """The files of a list of (path below root, class); DataError names those that do not exist."""
    files, missing = [], []
    for path, label in entries:
        try:
            files.append(ImageFile(path, os.stat(root / path).st_size, label))
        except OSError:
            missing.append(path)
    if missing:
        raise DataError(
            f"{uri.text}: {len(missing)} of {len(files) + len(missing)} listed images are not under {root}: "
            f"{quoted(missing)}. Unpack the archive again, or correct the list."
        )
    return files


def hold_out_files(files: Sequence[ImageFile], count: int | None = None) -> dict[str, list[ImageFile]]:
    """Train and test part of files in any order; ``count`` as in ``holdout.hold_out``."""
    ordered = sorted(files)
    labels = np.unique([file.label for file in ordered], return_inverse=True)[1]
    train, test = hold_out(labels, count)
    return {"train": [ordered[position] for position in train], "test": [ordered[position] for position in test]}


def index_of_files(
    uri: Uri,
    root: Path,
    parts: Mapping[str, Sequence[ImageFile]],
    name: str,
    classes: Sequence[str] | None = None,
    warnings: Sequence[str] = (),
) -> Index:
    """An index over files by part.

    Args:
        root: folder that the paths of the files start from.
        classes: names in the order of their labels; the classes of train, sorted, when not given.

    Raises:
        DataError: where train is empty, or a part has a class that is not in the list.
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
    """Median short side in pixels, and 1 channel if all images are grey, else 3.

    Both are taken from the headers of at most 512 of the ``count`` train images, spread evenly. Unreadable ones are
    skipped; DataError where there is no readable one.
    """
    headers = []
    for position in np.unique(np.linspace(0, count - 1, min(count, HEADERS_READ)).astype(int)):
        try:
            with reader.read("train", int(position)) as image:
                headers.append(read_header(image))
        except (OSError, ValueError, SyntaxError):
            continue  # decoding will name the broken image
    if not headers:
        raise DataError(f"{uri.text}: no train image can be read; the first is {reader.item('train', 0)}.")
    return int(np.median([side for side, _ in headers])), 1 if all(grey for _, grey in headers) else 3
