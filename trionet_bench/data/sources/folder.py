"""``folder:PATH``: one folder for each class.

With parts, of which val or test may be missing:

    PATH/train/<class>/*.jpg    PATH/val/<class>/*.jpg    PATH/test/<class>/*.jpg

or without parts, where a fifth of each class is held out as test, the same images in every run:

    PATH/<class>/*.jpg

``?layout=cub`` reads the list files of CUB-200-2011 instead.
"""

from pathlib import Path

from trionet_bench.data.holdout import hold_out_warning
from trionet_bench.data.index import Index
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.classes import quoted
from trionet_bench.data.sources.cub import cub_index
from trionet_bench.data.sources.files import class_folders, files_by_class, hold_out_files, index_of_files
from trionet_bench.errors import DataError

PART_FOLDERS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
EXPECTED = "Expected is PATH/train/<class>/*.jpg and the same under val or test, or PATH/<class>/*.jpg."


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a folder; DataError where it has another layout."""
    root = places.resolve(uri.path)
    if uri.choice("layout", ("classes", "cub")) == "cub":
        return cub_index(uri, root)
    if not root.is_dir():
        raise DataError(f"{uri.text}: {root} is not a folder. {EXPECTED}")
    folders = part_folders(root)
    if folders and "train" not in folders:
        raise DataError(f"{uri.text}: {root} has {', '.join(folders.values())} but no train. {EXPECTED}")
    if len(folders) > 1:
        parts = {part: files_by_class(root, folder) for part, folder in folders.items()}
        empty = sorted(set(class_folders(root, folders["train"])) - {file.label for file in parts["train"]})
        warnings = [f"train has no image of class {quoted(empty)}, left out"] if empty else []
        return index_of_files(uri, root, parts, root.name, warnings=warnings)
    files = files_by_class(root, folders.get("train", ""))
    if len({file.label for file in files}) < 2:
        raise DataError(f"{uri.text}: {root} has no two folders with images, which would be its classes. {EXPECTED}")
    warning = hold_out_warning("no official test part")
    return index_of_files(uri, root, hold_out_files(files), root.name, warnings=[warning])


def part_folders(root: Path) -> dict[str, str]:
    """The folders for train, val and test that exist in ``root``, by part."""
    folders: dict[str, str] = {}
    for part, names in PART_FOLDERS.items():
        for name in names:
            if (root / name).is_dir():
                folders.setdefault(part, name)
    return folders
