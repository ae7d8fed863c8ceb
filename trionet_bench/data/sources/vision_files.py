"""Named sets that are image files: their lists of images, labels and splits, one function for each set.

Each public function takes the URI, the folder of the set and its published facts. Parts are those of the authors.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from trionet_bench.data.index import Index
from trionet_bench.data.reading import UNPACK, reading
from trionet_bench.data.sources.base import Uri
from trionet_bench.data.sources.catalogue import NamedSet
from trionet_bench.data.sources.files import (
    ImageFile,
    class_folders,
    files_by_class,
    hold_out_files,
    index_of_files,
    listed_files,
)
from trionet_bench.data.sources.matlab import load_variable
from trionet_bench.data.sources.text import read_lines, read_text
from trionet_bench.errors import DataError

Entries = list[tuple[str, str]]  # path below the folder of the set, class

CALTECH_TRAIN = 30  # images of each class, as is usual for Caltech-101; the others are test
EUROSAT_TEST_SHARE = 0.2  # drawn here, as there is no official test part
IMAGENETTE_NAMES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


def flowers102(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """MATLAB files with the labels and the official train, val and test images."""
    folder = root / "flowers-102"
    numbers = load_variable(folder / "imagelabels.mat", "labels").reshape(-1)  # of image 1, 2, ...; from 1
    parts = {}
    for part, key in (("train", "trnid"), ("val", "valid"), ("test", "tstid")):
        images = load_variable(folder / "setid.mat", key).reshape(-1)
        parts[part] = [(f"jpg/image_{image:05d}.jpg", facts.class_names[numbers[image - 1] - 1]) for image in images]
    return _index_of_entries(uri, facts, folder, parts, facts.class_names)


def aircraft(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """The finest of the three levels of classes, variants."""
    folder = root / "fgvc-aircraft-2013b" / "data"
    parts = {}
    for part in ("train", "val", "test"):
        path = folder / f"images_variant_{part}.txt"
        with reading(path, UNPACK):
            lines = [line.split(" ", 1) for line in read_lines(path)]
            parts[part] = [(f"images/{image}.jpg", variant) for image, variant in lines]
    return _index_of_entries(uri, facts, folder, parts, read_lines(folder / "variants.txt"))


def cars(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """MATLAB files with a record for each image of train and test."""
    folder = root / "stanford_cars"
    names = [str(name) for name in load_variable(folder / "devkit/cars_meta.mat", "class_names", squeeze=True)]
    annotations = {"train": "devkit/cars_train_annos.mat", "test": "cars_test_annos_withlabels.mat"}
    parts = {}
    for part, path in annotations.items():
        rows = np.atleast_1d(load_variable(folder / path, "annotations", squeeze=True))
        with reading(folder / path, UNPACK):
            parts[part] = [(f"cars_{part}/{row['fname']}", names[int(row["class"]) - 1]) for row in rows]
    return _index_of_entries(uri, facts, folder, parts, names)


def caltech101(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """A folder for each class, without the background class; 30 images of each class are train."""
    folder = root / "caltech101" / "101_ObjectCategories"
    names = [name for name in class_folders(folder) if name != "BACKGROUND_Google"]
    by_class = defaultdict(list)
    for file in files_by_class(folder, classes=names):
        by_class[file.label].append(file)
    train: list[ImageFile] = []
    test: list[ImageFile] = []
    for files in by_class.values():
        parts = hold_out_files(files, max(0, len(files) - CALTECH_TRAIN))
        train += parts["train"]
        test += parts["test"]
    return index_of_files(uri, folder, {"train": train, "test": test}, facts.name, classes=names)


def dtd(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """List files for ten partitions, chosen by ``?partition=``."""
    folder = root / "dtd" / "dtd"
    partition = uri.choice("partition", tuple(str(number) for number in range(1, 11)))
    parts = {
        part: [(f"images/{line}", line.split("/")[0]) for line in read_lines(folder / f"labels/{part}{partition}.txt")]
        for part in ("train", "val", "test")
    }
    return _index_of_entries(uri, facts, folder, parts)


def pets(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """List files with the numbers of classes; class names are taken from the names of the images."""
    folder = root / "oxford-iiit-pet"
    names: dict[int, str] = {}
    parts: dict[str, Entries] = {}
    for part, path in (("train", "annotations/trainval.txt"), ("test", "annotations/test.txt")):
        parts[part] = []
        with reading(folder / path, UNPACK):
            for line in read_lines(folder / path):
                image, number, *_ = line.split()
                names[int(number)] = image.rsplit("_", 1)[0].replace("_", " ").title()
                parts[part].append((f"images/{image}.jpg", names[int(number)]))
    return _index_of_entries(uri, facts, folder, parts, [names[number] for number in sorted(names)])


def food101(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """JSON files with the images of each class."""
    folder = root / "food-101"
    parts = {}
    for part in ("train", "test"):
        listed = folder / "meta" / f"{part}.json"
        with reading(listed, UNPACK):
            by_class = json.loads(read_text(listed))
            parts[part] = [(f"images/{path}.jpg", name) for name, paths in by_class.items() for path in paths]
    return _index_of_entries(uri, facts, folder, parts)


def gtsrb(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """A folder for each class in train, and a table of the test images."""
    folder = root / "gtsrb"
    path = folder / "GT-final_test.csv"
    with reading(path, UNPACK):
        rows = list(csv.DictReader(read_text(path).splitlines(), delimiter=";", skipinitialspace=True))
        test = [(f"GTSRB/Final_Test/Images/{row['Filename']}", f"{int(row['ClassId']):05d}") for row in rows]
    parts = {"train": files_by_class(folder, "GTSRB/Training"), "test": listed_files(uri, folder, test)}
    return index_of_files(uri, folder, parts, facts.name)


def eurosat(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """A folder for each class; a fifth of the images is held out as test."""
    folder = root / "eurosat" / "2750"
    files = files_by_class(folder)
    return index_of_files(uri, folder, hold_out_files(files, round(EUROSAT_TEST_SHARE * len(files))), facts.name)


def imagenette(uri: Uri, root: Path, facts: NamedSet) -> Index:
    """A folder for each synset in train and val, in the size of ``?size=``."""
    size = uri.choice("size", ("full", "320", "160"))
    folder = root / ("imagenette2" if size == "full" else f"imagenette2-{size}")
    if not folder.is_dir():
        present = sorted(path.name for path in root.glob("imagenette2*") if path.is_dir())
        raise DataError(f"{uri.text}: {folder} is not there, but {', '.join(present)}; choose it with ?size=.")
    parts = {}
    for part in ("train", "val"):
        files = files_by_class(folder, part)
        parts[part] = [file._replace(label=IMAGENETTE_NAMES.get(file.label, file.label)) for file in files]
    return index_of_files(uri, folder, parts, facts.name, classes=list(IMAGENETTE_NAMES.values()))


def _index_of_entries(
    uri: Uri, facts: NamedSet, folder: Path, parts: dict[str, Entries], classes: Iterable[str] | None = None
) -> Index:
    """The index of listed images; with ``?train=trainval`` the val part is added to train."""
    if uri.options.get("train") == "trainval":
        parts = {"train": parts["train"] + parts["val"], "test": parts["test"]}
    files = {part: listed_files(uri, folder, entries) for part, entries in parts.items()}
    return index_of_files(uri, folder, files, facts.name, classes=None if classes is None else list(classes))
