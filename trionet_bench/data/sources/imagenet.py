"""``imagenet:PATH``: ILSVRC2012, or anything with its folders, as people have it on disk.

    PATH/train/n01440764/*.JPEG
    PATH/val/n01440764/*.JPEG, or PATH/val/*.JPEG with the labels in
        LOC_val_solution.csv                              (Kaggle's list)
        data/ILSVRC2012_validation_ground_truth.txt       (the devkit's, beside data/meta.mat; also in a folder of PATH)
        val.txt                                           (lines "ILSVRC2012_val_00000001.JPEG n01751748", or "... 65")

PATH may be the top of Kaggle's archive, with ILSVRC/Data/CLS-LOC in between. Class names come from
LOC_synset_mapping.txt or from the devkit. Val is the test part, as in the literature. With a thousand classes the
published counts are asserted, unless ``?subset=1`` is given.
"""

import csv
from pathlib import Path
from typing import NamedTuple

from trionet_bench.data.index import Index
from trionet_bench.data.reading import UNPACK, reading
from trionet_bench.data.sources.archives import unpack_tar
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.catalogue import named_sets
from trionet_bench.data.sources.classes import quoted
from trionet_bench.data.sources.files import ImageFile, class_folders, files_by_class, index_of_files, listed_files
from trionet_bench.data.sources.matlab import load_variable
from trionet_bench.data.sources.scanning import count_left_out, scan
from trionet_bench.data.sources.text import read_lines, read_text
from trionet_bench.errors import DataError

TRAIN_ARCHIVE, VAL_ARCHIVE, DEVKIT_ARCHIVE = (
    "ILSVRC2012_img_train.tar",
    "ILSVRC2012_img_val.tar",
    "ILSVRC2012_devkit_t12.tar.gz",
)
FULL_SET_CLASSES = 900  # with at least so many classes the full ILSVRC2012 is meant, though some may be missing


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a folder in one of the layouts; DataError where it has another, or lacks labels of val."""
    top = places.resolve(uri.path)
    root = next((place for place in (top, *top.glob("**/CLS-LOC")) if (place / "train").is_dir()), top)
    facts = named_sets()["ImageNet"]
    if facts.missing(root):
        if (top / TRAIN_ARCHIVE).is_file():
            raise DataError(
                f"{uri.text}: {top} has the archives, but they are not unpacked. "
                f"`trionet-bench data fetch imagenet:{top}` unpacks them there; it takes 150 GB."
            )
        raise facts.not_found(uri.text, root, places.looked_in(uri.path))
    devkit = _devkit_folder(top)
    names = _class_names(top, devkit)
    synsets = class_folders(root, "train")
    parts = {
        "train": files_by_class(root, "train"),
        "val": files_by_class(root, "val") or _val_by_list(uri, top, root, _Classes(synsets, sorted(names)), devkit),
    }
    named = {part: [_with_class_name(file, names) for file in files] for part, files in parts.items()}
    left_out = count_left_out(entry for part in parts for entry in scan(root, part).all_left_out())
    index = index_of_files(uri, root, named, top.name, left_out=left_out)
    if max(len(synsets), len(names)) < FULL_SET_CLASSES:
        return index
    if not uri.flag("subset"):
        facts.assert_counts(index)
    return facts.described(index)


def unpack(folder: Path) -> None:
    """Unpack the original archives that lie in ``folder`` into it, leaving out what is unpacked already.

    DataError where an archive is needed and missing.
    """
    if not (folder / "train").is_dir():
        _extract(folder / TRAIN_ARCHIVE, folder / "train.part")
        for archive in sorted((folder / "train.part").glob("*.tar")):
            _extract(archive, archive.with_suffix(""))
            archive.unlink()
        (folder / "train.part").rename(folder / "train")
    if not (folder / "val").is_dir():
        _extract(folder / VAL_ARCHIVE, folder / "val.part")
        (folder / "val.part").rename(folder / "val")
    if _devkit_folder(folder) is None:
        _extract(folder / DEVKIT_ARCHIVE, folder)


def _extract(archive: Path, target: Path) -> None:
    if not archive.is_file():
        raise DataError(f"{archive} is not there. {named_sets()['ImageNet'].manual}")
    unpack_tar(archive, target)


def _with_class_name(file: ImageFile, names: dict[str, str]) -> ImageFile:
    """The file with its class as "n01440764 tench": in the order of synsets, and distinct where names are equal."""
    name = names.get(file.label)
    return file._replace(label=f"{file.label} {name}") if name else file


def _devkit_folder(top: Path) -> Path | None:
    """The devkit's data folder, if it is there."""
    return next((path.parent for pattern in ("data", "*/data") for path in top.glob(f"{pattern}/meta.mat")), None)


def _synset_of_devkit_number(devkit: Path) -> dict[int, tuple[str, str]]:
    """Synset and first name of each number of the devkit; classes are 1 to 1000, inner nodes of the tree above."""
    path = devkit / "meta.mat"
    rows = load_variable(path, "synsets", squeeze=True)
    with reading(path, UNPACK):
        return {int(row["ILSVRC2012_ID"]): (str(row["WNID"]), str(row["words"]).split(",")[0]) for row in rows}


def _class_names(top: Path, devkit: Path | None) -> dict[str, str]:
    """The first name of each synset, from the mapping file or the devkit; empty where there is neither."""
    mapping = top / "LOC_synset_mapping.txt"
    if mapping.is_file():
        lines = [line.partition(" ") for line in read_lines(mapping)]
        return {synset: words.split(",")[0].strip() for synset, _, words in lines}
    return dict(_synset_of_devkit_number(devkit).values()) if devkit else {}


class _Classes(NamedTuple):
    """Synsets that are folders of train, and all that a list of names knows, each sorted."""

    of_train: list[str]
    named: list[str]


def _listed_labels(uri: Uri, text: Path, classes: _Classes) -> dict[str, str]:
    """Synsets by the name of their image without its suffix, from lines of a name and a synset or number.

    A number is a position in the sorted list of all classes: the names where there are more of them than folders in
    train, else those folders. DataError where it lies outside, or the line is of another form.
    """
    pairs = [line.split() for line in read_lines(text)]
    if wrong := next((number for number, pair in enumerate(pairs, 1) if len(pair) != 2), None):
        raise DataError(f"{uri.text}: line {wrong} of {text} is not the name of an image and its synset. Correct it.")
    numbers = [int(label) for _, label in pairs if label.isdecimal()]
    synsets = classes.named if len(classes.named) > len(classes.of_train) else classes.of_train
    if numbers and max(numbers) >= len(synsets):
        raise DataError(
            f"{uri.text}: {text} numbers classes up to {max(numbers)}, and {len(synsets)} are known here. Put "
            "LOC_synset_mapping.txt or the devkit with all classes beside it, or write synsets instead of numbers."
        )
    labels = {Path(name).stem: synsets[int(label)] if label.isdecimal() else label for name, label in pairs}
    if numbers and (foreign := sorted(set(labels.values()) - set(classes.of_train))):
        raise DataError(
            f"{uri.text}: by the numbers of {text} val has class {quoted(foreign)}, which train does not have. They "
            f"were taken as positions among {len(synsets)} classes; write synsets instead of numbers if they are not."
        )
    return labels


def _val_by_list(uri: Uri, top: Path, root: Path, classes: _Classes, devkit: Path | None) -> list[ImageFile]:
    """Val images that lie in one folder, with labels from a list; DataError where it is missing or incomplete."""
    folder = root / "val"
    images = list(scan(root, "val").images)
    solution, listed = top / "LOC_val_solution.csv", [place / "val.txt" for place in (top, root, root / "val")]
    if solution.is_file():
        table = csv.DictReader(read_text(solution).splitlines())
        try:
            labels = {row["ImageId"]: row["PredictionString"].split()[0] for row in table}
        except (LookupError, AttributeError) as error:
            raise DataError(
                f"{uri.text}: line {table.line_num} of {solution} is no ImageId,PredictionString. Correct it."
            ) from error
    elif text := next((path for path in listed if path.is_file()), None):
        labels = _listed_labels(uri, text, classes)
    elif devkit and (truth := devkit / "ILSVRC2012_validation_ground_truth.txt").is_file():
        synset_of = _synset_of_devkit_number(devkit)
        with reading(truth, UNPACK):
            synsets = [synset_of[int(line)][0] for line in read_lines(truth)]
        if len(synsets) != len(images):
            raise DataError(
                f"{uri.text}: {truth} labels {len(synsets)} images, and {folder} has {len(images)}. Unpack both again."
            )
        labels = {Path(name).stem: synset for name, synset in zip(images, synsets, strict=True)}
    else:
        raise DataError(
            f"{uri.text}: the {len(images)} images of {folder} are not sorted into class folders, and no list has "
            f"their labels. Put LOC_val_solution.csv, the devkit or a val.txt of lines 'name synset' into {top}."
        )
    if unlisted := [name for name in images if Path(name).stem not in labels]:
        count = f"{len(unlisted)} of {len(images)}"
        raise DataError(
            f"{uri.text}: {count} images of {folder} have no label: {quoted(unlisted)}. Add them to the list."
        )
    return listed_files(uri, root, ((f"val/{name}", labels[Path(name).stem]) for name in images))
