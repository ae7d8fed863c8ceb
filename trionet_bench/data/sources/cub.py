"""The layout of CUB-200-2011: list files beside the images. Wah et al. 2011, CNS-TR-2011-001."""

from pathlib import Path

from trionet_bench.data.index import Index
from trionet_bench.data.reading import UNPACK, reading
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.catalogue import named_sets
from trionet_bench.data.sources.files import index_of_files, listed_files
from trionet_bench.data.sources.text import read_lines


def cub_index(uri: Uri, places: Places) -> Index:
    """The index of a folder with images.txt, image_class_labels.txt, classes.txt and train_test_split.txt.

    DataError where one is missing or, without ``subset=1``, where counts are not the published ones.
    """
    facts = named_sets()["CUB_200_2011"]
    root = places.resolve(uri.path)
    if facts.missing(root):
        raise facts.not_found(uri.text, root, places.looked_in(uri.path))
    paths, labels, is_train = (
        _read_list(root / name) for name in ("images.txt", "image_class_labels.txt", "train_test_split.txt")
    )
    names = _read_list(root / "classes.txt")
    with reading(root / "image_class_labels.txt", UNPACK, f"{uri.text}: "):
        entries = [(f"images/{paths[image]}", names[labels[image]]) for image in paths]
    with reading(root / "train_test_split.txt", UNPACK, f"{uri.text}: "):
        of_train = [is_train[image] == "1" for image in paths]
    files = listed_files(uri, root, entries)
    in_train = dict(zip((file.path for file in files), of_train, strict=True))
    parts = {
        "train": [file for file in files if in_train[file.path]],
        "test": [file for file in files if not in_train[file.path]],
    }
    index = index_of_files(uri, root, parts, root.name, classes=list(names.values()))
    if not uri.flag("subset"):
        facts.assert_counts(index)
    return facts.described(index)


def _read_list(path: Path) -> dict[str, str]:
    """Values by id; a line is an id, a blank and a value."""
    with reading(path, UNPACK):
        return dict(line.split(maxsplit=1) for line in read_lines(path))
