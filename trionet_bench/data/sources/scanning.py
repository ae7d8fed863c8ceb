"""What lies below a folder: images, folders, and what is no image of any class, counted by suffix and reason."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from trionet_bench.data.images import IMAGE_SUFFIXES, UNDECODED_SUFFIXES, open_image
from trionet_bench.data.index import LeftOut
from trionet_bench.data.sources.names import printable
from trionet_bench.errors import DataError

# Folders that systems, photo servers and archive programs leave, in lower case. Those with a dot or two underscores in
# front, such as .thumbnails and __MACOSX, are hidden.
SYSTEM_FOLDERS = (
    "@eadir",
    "@tmp",
    "@recycle",
    "@recently-snapshot",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "recycler",
    "system volume information",
    "lost+found",
    "network trash folder",
    "temporary items",
)
DEEPEST = 64  # folders in one another
NO_IMAGE, UNDECODED, HIDDEN, SYSTEM = "no image", "format not decoded here", "hidden", "folder of a system"
NO_IMAGE_CONTENT, LOOP, NO_FILE = "no image by its content", "link to a folder around it", "no regular file"
BESIDE_CLASSES, BESIDE_PARTS = "beside the class folders", "beside the parts"
LOST_IMAGES = (UNDECODED, BESIDE_CLASSES, BESIDE_PARTS, LOOP)  # reasons that a person should be warned of


@dataclass(frozen=True, eq=False)
class Folder:
    """A folder and all that lies in it.

    Args:
        path: below the root of the scan, with slashes; empty for the root.
        images: names of its image files, sorted.
        folders: those in it, sorted by name, without hidden ones and those of systems.
        left_out: (path, reason) of what is directly in it, or in a hidden folder in it, and not used.
    """

    path: str
    images: tuple[str, ...] = ()
    folders: tuple["Folder", ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @cached_property
    def has_images(self) -> bool:
        """Whether there is an image in it, or in a folder in it."""
        return bool(self.images) or any(folder.has_images for folder in self.folders)

    @property
    def with_images(self) -> tuple["Folder", ...]:
        """The folders directly in it that hold images."""
        return tuple(folder for folder in self.folders if folder.has_images)

    def own_paths(self) -> list[str]:
        """Paths of the images directly in it."""
        return [f"{self.path}/{name}" if self.path else name for name in self.images]

    def image_paths(self) -> Iterator[str]:
        """Paths of all images: those directly in it, then those of its folders, each sorted by name."""
        yield from self.own_paths()
        for folder in self.folders:
            yield from folder.image_paths()

    def all_left_out(self) -> Iterator[tuple[str, str]]:
        """(path, reason) of all that is not used in it and in its folders."""
        yield from self.left_out
        for folder in self.folders:
            yield from folder.all_left_out()

    def all_unused(self, reason: str) -> Iterator[tuple[str, str]]:
        """As ``all_left_out`` where its images are not used either, for ``reason``."""
        yield from ((path, reason) for path in self.image_paths())
        yield from self.all_left_out()


@dataclass
class _Content:
    images: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def scan(root: Path, path: str = "") -> Folder:
    """All that lies in ``root/path``; DataError names a folder that cannot be listed.

    A file is an image by its suffix, or by its content where it has no suffix. A link that leads nowhere is an image
    too where it is called like one: decoding finds it broken.
    """
    above = tuple(_identity(folder) for folder in (root / path).resolve().parents)
    return _scan(root, path, above, DEEPEST)


def count_left_out(entries: Iterable[tuple[str, str]]) -> tuple[LeftOut, ...]:
    """(path, reason) of files counted by suffix and reason, in the order of these."""
    counted: dict[tuple[str, str], tuple[int, str]] = {}
    for path, reason in entries:
        key = (PurePosixPath(path).suffix.lower(), reason)
        count, example = counted.get(key, (0, path))
        counted[key] = (count + 1, example)
    return tuple(
        LeftOut(printable(suffix), reason, count, printable(example))
        for (suffix, reason), (count, example) in sorted(counted.items())
    )


def _scan(root: Path, path: str, around: tuple[tuple[int, int], ...], depth: int) -> Folder:
    if not depth:
        raise DataError(f"{printable(str(root))} holds folders more than {DEEPEST} deep. Move them further up.")
    content = _Content()
    identity = _identity(root / path)
    for entry in _listed(root / path):
        below = f"{path}/{entry.name}" if path else entry.name
        if unseen := _why_unseen(entry.name):
            content.left_out += ((file, unseen) for file in _files_below(root, below, entry))
        elif _is_folder(entry):
            if entry.is_symlink() and _identity(root / below) in (*around, identity):
                content.left_out.append((below, LOOP))
            else:
                content.folders.append(below)
        elif (reason := _why_no_image(entry)) is not None:
            content.left_out.append((below, reason))
        else:
            content.images.append(entry.name)
    folders = tuple(_scan(root, folder, (*around, identity), depth - 1) for folder in content.folders)
    return Folder(path, tuple(content.images), folders, tuple(content.left_out))


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"{printable(str(folder))} cannot be listed: {error.strerror or error}. "
            "Make it readable, or move it out of the data set."
        ) from error


def _identity(folder: Path) -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError:
        return 0, 0  # listing names it
    return status.st_dev, status.st_ino


def _files_below(root: Path, path: str, entry: os.DirEntry[str]) -> list[str]:
    """Paths of the files in a folder that is not looked into further, or of the file itself."""
    if not _is_folder(entry) or entry.is_symlink():
        return [path]
    walked = os.walk(root / path)
    return sorted(
        f"{Path(folder).relative_to(root).as_posix()}/{name}" for folder, _, names in walked for name in names
    )


def _why_unseen(name: str) -> str | None:
    """Why a file or folder of this name is not looked at; None where it is."""
    if name.startswith((".", "__")):
        return HIDDEN
    return SYSTEM if name.lower() in SYSTEM_FOLDERS else None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself


def _why_no_image(entry: os.DirEntry[str]) -> str | None:
    """Why a file is no image; None where it is one by its suffix, or has none and is one by its content."""
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix in IMAGE_SUFFIXES:
        return None
    if suffix in UNDECODED_SUFFIXES:
        return UNDECODED
    try:
        regular = entry.is_file()
    except OSError:
        regular = False
    if not regular:
        return NO_FILE
    if suffix:
        return NO_IMAGE
    try:
        open_image(Path(entry.path)).close()
    except Exception:  # decoders raise errors of any type
        return NO_IMAGE_CONTENT
    return None
