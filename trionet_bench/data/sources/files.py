"""Images that are files: how they are listed, measured, fingerprinted and read. Shared by all sources made of files."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trionet_bench.caching import cache_folder
from trionet_bench.data.decoders import code_of_name
from trionet_bench.data.digest import sha256
from trionet_bench.data.digest_cache import DigestCache
from trionet_bench.data.file_digests import digest_files, stamps_of
from trionet_bench.data.holdout import hold_out
from trionet_bench.data.images import holds_numbers, open_image, read_header
from trionet_bench.data.index import Content, Index, LeftOut, Reader
from trionet_bench.data.reading import check_regular, reason_of
from trionet_bench.data.sources.base import Uri
from trionet_bench.data.sources.classes import quoted, unknown_classes
from trionet_bench.data.sources.names import class_name, printable
from trionet_bench.data.sources.scanning import Folder, scan
from trionet_bench.data.values import ValueRange, decide_range, extent_of, joined
from trionet_bench.errors import BenchError, DataError

if TYPE_CHECKING:
    from PIL.Image import Image

HEADERS_READ = 512


class ImageFile(NamedTuple):
    """One image file: path below the root with slashes, name of its class."""

    path: str
    label: str


@dataclass(frozen=True, eq=False)
class FileReader:
    """Reads images from paths below ``root``, by part."""

    root: Path
    paths: Mapping[str, tuple[str, ...]]

    def read(self, part: str, position: int) -> "Image":
        """One image, opened and not yet decoded."""
        return open_image(self.root / self.paths[part][position])

    def item(self, part: str, position: int) -> str:
        """The path of an image below the root."""
        return printable(self.paths[part][position])

    def arrays(self, part: str) -> None:
        """None: there are only files."""
        return

    def digests(self, part: str) -> np.ndarray:
        """SHA-256 of each file, uint8 (N, 32), of an untouched one as remembered; zeros where it cannot be read."""
        paths = self.paths[part]
        cache = DigestCache(self.root, cache_folder())
        return digest_files(self.root, paths, stamps_of(self.root, paths), cache=cache).values


def class_folders(root: Path, folder: str = "") -> list[str]:
    """Names of the folders in ``root/folder``, sorted, without hidden ones and those of systems."""
    return [below.name for below in scan(root, folder).folders]


def files_by_class(root: Path, folder: str = "", classes: Iterable[str] | None = None) -> list[ImageFile]:
    """The image files below each class folder of ``root/folder``, in order of class and path.

    Without ``classes`` every folder is a class. A class folder may have folders of its own.
    """
    folders = {below.name: below for below in scan(root, folder).folders}
    names = folders if classes is None else classes
    return [file for name in names if name in folders for file in files_of_class(root, folders[name])]


def files_of_class(root: Path, folder: Folder) -> list[ImageFile]:
    """The images of a class folder below ``root``; DataError where its name is no text."""
    label = class_name(folder.name, f"folder {printable(str(root / folder.path))}")
    return [ImageFile(path, label) for path in folder.image_paths()]


def is_below(root: Path, path: str) -> bool:
    """Whether a path that starts from ``root`` stays below it, by its name alone: links are not followed."""
    return Path(os.path.normpath(root / path)).is_relative_to(os.path.normpath(root))


def listed_files(uri: Uri, root: Path, entries: Iterable[tuple[str, str]]) -> list[ImageFile]:
    """The files of a list of (path below root, class); DataError names those that are not there."""
    files, missing, reason = [], [], ""
    for path, label in entries:
        try:
            if not is_below(root, path):
                raise ValueError("it leads outside of the folder")
            check_regular(root / path)
            files.append(ImageFile(path, label))
        except (OSError, ValueError) as error:
            missing.append(path)
            reason = reason or reason_of(error)
    if missing:
        raise DataError(
            f"{uri.text}: {len(missing)} of {len(files) + len(missing)} listed images are no files under {root}: "
            f"{quoted(missing)} ({reason}). Unpack the archive again, or correct the list."
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
    left_out: Sequence[LeftOut] = (),
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
            raise unknown_classes(uri.text, part, unknown, classes)
    reader = FileReader(root, {part: tuple(file.path for file in files) for part, files in parts.items()})
    seen = survey(uri, reader, len(parts["train"]))
    labels = {part: np.array([numbers[file.label] for file in files], np.int64) for part, files in parts.items()}
    return Index(
        uri=uri.text,
        name=name,
        classes=classes,
        channels=seen.channels,
        native_size=seen.native_size,
        labels=labels,
        reader=reader,
        fingerprint=fingerprint_of_labels(labels, classes),
        warnings=tuple(warnings),
        content=Content(root, tuple(path for paths in reader.paths.values() for path in paths)),
        left_out=tuple(left_out),
        value_range=seen.value_range,
    )


def fingerprint_of_labels(labels: Mapping[str, np.ndarray], classes: Sequence[str], *options: str) -> str:
    """SHA-256 over the labels of each part in order, the names of the classes, and options that change an image."""
    return sha256(*(f"{part} {of_part.tolist()}" for part, of_part in labels.items()), *classes, *options)


class Survey(NamedTuple):
    """What headers of images say: median short side in pixels, 1 channel if all are grey, else 3, and their formats.

    Formats are positions in ``decoders.FORMATS``, ascending. ``value_range`` is that of the set where images hold
    numbers.
    """

    native_size: int
    channels: int
    formats: tuple[int, ...]
    value_range: ValueRange | None


def survey(uri: Uri, reader: Reader, count: int) -> Survey:
    """What at most 512 of the ``count`` train images say, spread evenly: headers, and values where they are numbers.

    Unreadable ones are skipped; DataError where there is no readable one.
    """
    headers, formats, extents = [], set(), []
    reasons: list[str] = []
    value_range, numbers = uri.value_range(), False
    for position in np.unique(np.linspace(0, count - 1, min(count, HEADERS_READ)).astype(int)):
        try:
            with reader.read("train", int(position)) as image:
                headers.append(read_header(image))
                formats.add(code_of_name(image.format))
                if holds_numbers(image):
                    numbers = True
                    if value_range is None:
                        extents.append(extent_of([np.asarray(image)]))
        except BenchError:
            raise
        except Exception as error:  # decoders raise errors of any type; decoding all will name each broken image
            reasons.append(reason_of(error))
    if not headers:
        raise DataError(
            f"{uri.text}: no train image can be read; the first is {reader.item('train', 0)}: {reasons[0]}. "
            "Restore the files, or their permissions."
        )
    sides = [side for side, _ in headers]
    if known := [extent for extent in extents if extent is not None]:
        value_range = decide_range(joined(known))
    channels = 1 if all(grey for _, grey in headers) else 3
    return Survey(int(np.median(sides)), channels, tuple(sorted(formats)), value_range if numbers else None)
