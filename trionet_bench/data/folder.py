"""``folder:PATH``: one folder a class, under train, val and test.

    PATH/train/<class>/*.jpg
    PATH/val/<class>/*.jpg
    PATH/test/<class>/*.jpg      one of val and test is enough
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from trionet_bench.data.images import SUFFIXES, header
from trionet_bench.data.source import Index, Places, Uri, sha256
from trionet_bench.errors import DataError

PART_FOLDERS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
HEADERS_READ = 512


@dataclass(frozen=True)
class File:
    """One image file: its path below the root, with slashes, and its size in bytes."""

    path: str
    size: int


@dataclass(frozen=True, eq=False)
class FileReader:
    """Images that are files: paths below ``root``, by part."""

    root: Path
    paths: Mapping[str, tuple[str, ...]]

    def read(self, part: str, position: int) -> Image.Image:
        return Image.open(self.root / self.paths[part][position])

    def item(self, part: str, position: int) -> str:
        return self.paths[part][position]

    def arrays(self, part: str) -> None:
        return None


def open_index(uri: Uri, places: Places) -> Index:
    uri.check_options()
    root = places.resolve(uri.path)
    folders = part_folders(root)
    if "train" not in folders or len(folders) == 1:
        raise DataError(
            f"{uri.text}: {root} {'has no train folder beside val or test' if root.is_dir() else 'is not a folder'}. "
            f"Expected is PATH/train/<class>/*.jpg and the same under val or test."
        )
    files = {part: class_files(root, folder) for part, folder in folders.items()}
    return index_of_files(uri, root, files)


def part_folders(root: Path) -> dict[str, str]:
    """The folders among train, val and test that exist, by part."""
    found: dict[str, str] = {}
    for part, names in PART_FOLDERS.items():
        for name in names:
            if (root / name).is_dir():
                found.setdefault(part, name)
    return found


def class_files(root: Path, folder: str) -> dict[str, list[File]]:
    """Image files below each class folder of ``root/folder``, sorted; a class folder may have folders of its own."""
    classes = sorted(entry.name for entry in os.scandir(root / folder) if entry.is_dir() and not hidden(entry.name))
    prefix = f"{folder}/" if folder != "." else ""
    return {name: list(image_files(root, prefix + name)) for name in classes}


def image_files(root: Path, folder: str) -> list[File]:
    files = []
    folders = []
    for entry in sorted(os.scandir(root / folder), key=lambda entry: entry.name):
        if hidden(entry.name):
            continue
        if entry.is_dir():
            folders.append(entry.name)
        elif entry.name.lower().endswith(SUFFIXES):
            files.append(File(f"{folder}/{entry.name}", entry.stat().st_size))
    for name in folders:
        files += image_files(root, f"{folder}/{name}")
    return files


def hidden(name: str) -> bool:
    return name.startswith((".", "__"))


def index_of_files(uri: Uri, root: Path, files: Mapping[str, Mapping[str, list[File]]]) -> Index:
    """An index over files by part and class. Train gives the class list, so that labels mean the same in every part."""
    classes = tuple(name for name, members in files["train"].items() if members)
    if not classes:
        raise DataError(f"{uri.text}: no image below the class folders of {root / 'train'}.")
    numbers = {name: number for number, name in enumerate(classes)}
    warnings = [f"class {name} has no train image and is left out" for name in files["train"] if name not in numbers]
    labels, paths, lines = {}, {}, []
    for part, members in files.items():
        unknown = [name for name, of_class in members.items() if of_class and name not in numbers]
        if unknown:
            raise DataError(
                f"{uri.text}: {part} has {_listed(unknown)}, which train does not have. "
                f"Add train images, or remove the folder from {part}."
            )
        missing = [name for name in classes if not members.get(name)]
        if missing:
            warnings.append(f"{part} has no image of {_listed(missing)}")
        entries = [(file, numbers[name]) for name in classes for file in members.get(name, [])]
        labels[part] = np.array([number for _, number in entries], np.int64)
        paths[part] = tuple(file.path for file, _ in entries)
        lines += [f"{part}\t{file.path}\t{file.size}\t{number}" for file, number in entries]
    reader = FileReader(root, paths)
    native_size, channels = survey(reader)
    return Index(
        uri=uri.text,
        name=root.name,
        classes=classes,
        channels=channels,
        native_size=native_size,
        labels=labels,
        reader=reader,
        fingerprint=sha256(*sorted(lines), *classes),
        warnings=tuple(warnings),
    )


def survey(reader: FileReader) -> tuple[int, int]:
    """Median short side, and 1 channel if every image is grey, else 3; from the heads of train files, evenly spread."""
    count = len(reader.paths["train"])
    heads = []
    for position in np.unique(np.linspace(0, count - 1, min(count, HEADERS_READ)).astype(int)):
        try:
            with reader.read("train", int(position)) as image:
                heads.append(header(image))
        except (OSError, ValueError, SyntaxError):
            continue                                             # decoding will name the broken file
    if not heads:
        raise DataError(f"None of the image files below {reader.root / 'train'} can be read.")
    return int(np.median([side for side, _ in heads])), 1 if all(grey for _, grey in heads) else 3


def _listed(names: list[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:5])
    return f"{'class' if len(names) == 1 else 'classes'} {shown}{' and more' if len(names) > 5 else ''}"
