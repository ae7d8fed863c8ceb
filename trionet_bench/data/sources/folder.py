"""``folder:PATH``: one folder a class.

With parts, of which val or test may be missing:

    PATH/train/<class>/*.jpg    PATH/val/<class>/*.jpg    PATH/test/<class>/*.jpg

or flat, where a fifth of each class is held out as test, the same images in every run:

    PATH/<class>/*.jpg

``?layout=cub`` reads the list files of CUB-200-2011 instead.
"""

from pathlib import Path

from trionet_bench.data.sources.base import Index, Places, Uri, some
from trionet_bench.data.sources.cub import cub_index
from trionet_bench.data.sources.files import class_folders, files_by_class, hold_out, index_of_files
from trionet_bench.errors import DataError

PART_FOLDERS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
TEST_SHARE = 0.2


def open_index(uri: Uri, places: Places) -> Index:
    uri.check_options("layout", "subset")
    root = places.resolve(uri.path)
    if uri.choice("layout", ("classes", "cub")) == "cub":
        return cub_index(uri, root)
    if not root.is_dir():
        raise DataError(f"{uri.text}: {root} is not a folder. {expected()}")
    folders = part_folders(root)
    if folders and "train" not in folders:
        raise DataError(f"{uri.text}: {root} has {', '.join(folders.values())} but no train. {expected()}")
    if len(folders) > 1:
        parts = {part: files_by_class(root, folder) for part, folder in folders.items()}
        empty = sorted(set(class_folders(root, folders["train"])) - {file.label for file in parts["train"]})
        warnings = [f"train has no image of class {some(empty)}, left out"] if empty else []
        return index_of_files(uri, root, parts, root.name, warnings=warnings)
    files = files_by_class(root, folders.get("train", ""))
    if len({file.label for file in files}) < 2:
        raise DataError(f"{uri.text}: {root} has no two folders with images, which would be its classes. {expected()}")
    warning = f"no official test part: {TEST_SHARE:.0%} of each class are held out as test, the same in every run"
    return index_of_files(uri, root, hold_out(files, round(TEST_SHARE * len(files))), root.name, warnings=[warning])


def part_folders(root: Path) -> dict[str, str]:
    """The folders among train, val and test that exist, by part."""
    found: dict[str, str] = {}
    for part, names in PART_FOLDERS.items():
        for name in names:
            if (root / name).is_dir():
                found.setdefault(part, name)
    return found


def expected() -> str:
    return "Expected is PATH/train/<class>/*.jpg and the same under val or test, or PATH/<class>/*.jpg."
