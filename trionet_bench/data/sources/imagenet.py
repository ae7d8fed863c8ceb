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
import tarfile
from pathlib import Path

from trionet_bench.data.index import Index
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.catalogue import named_sets
from trionet_bench.data.sources.classes import quoted
from trionet_bench.data.sources.files import ImageFile, class_folders, files_by_class, index_of_files, listed_files
from trionet_bench.data.sources.matlab import load_variable
from trionet_bench.data.sources.scanning import scan
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
        "val": files_by_class(root, "val") or _val_by_list(uri, top, root, synsets, devkit),
    }
    named = {part: [_with_class_name(file, names) for file in files] for part, files in parts.items()}
    index = index_of_files(uri, root, named, top.name)
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
    with tarfile.open(archive) as packed:
        packed.extractall(target, filter="data")


def _with_class_name(file: ImageFile, names: dict[str, str]) -> ImageFile:
    """The file with its class as "n01440764 tench": in the order of synsets, and distinct where names are equal."""
    name = names.get(file.label)
    return file._replace(label=f"{file.label} {name}") if name else file


def _devkit_folder(top: Path) -> Path | None:
    """The devkit's data folder, if it is there."""
    return next((path.parent for pattern in ("data", "*/data") for path in top.glob(f"{pattern}/meta.mat")), None)


def _synset_of_devkit_number(devkit: Path) -> dict[int, tuple[str, str]]:
    """Synset and first name of each number of the devkit; classes are 1 to 1000, inner nodes of the tree above."""
    rows = load_variable(devkit / "meta.mat", "synsets", squeeze=True)
    return {int(row["ILSVRC2012_ID"]): (str(row["WNID"]), str(row["words"]).split(",")[0]) for row in rows}


def _class_names(top: Path, devkit: Path | None) -> dict[str, str]:
    """The first name of each synset, from the mapping file or the devkit; empty where there is neither."""
    mapping = top / "LOC_synset_mapping.txt"
    if mapping.is_file():
        lines = [line.split(maxsplit=1) for line in mapping.read_text().splitlines() if line.strip()]
        return {synset: words.split(",")[0].strip() for synset, words in lines}
    return dict(_synset_of_devkit_number(devkit).values()) if devkit else {}


def _val_by_list(uri: Uri, top: Path, root: Path, synsets: list[str], devkit: Path | None) -> list[ImageFile]:
    """Val images that lie in one folder, with labels from a list; DataError where it is missing or incomplete."""
    folder = root / "val"
    images = list(scan(root, "val").images)
    solution, listed = top / "LOC_val_solution.csv", [place / "val.txt" for place in (top, root, root / "val")]
    if solution.is_file():
        with solution.open(newline="") as table:
            labels = {row["ImageId"]: row["PredictionString"].split()[0] for row in csv.DictReader(table)}
    elif text := next((path for path in listed if path.is_file()), None):
        pairs = [line.split() for line in text.read_text().splitlines() if line.strip()]
        labels = {Path(name).stem: synsets[int(label)] if label.isdigit() else label for name, label in pairs}
    elif devkit and (truth := devkit / "ILSVRC2012_validation_ground_truth.txt").is_file():
        synset_of = _synset_of_devkit_number(devkit)
        numbers = [int(line) for line in truth.read_text().split()]
        if len(numbers) != len(images):
            raise DataError(f"{uri.text}: {truth} labels {len(numbers)} images, and {folder} has {len(images)}.")
        labels = {Path(name).stem: synset_of[number][0] for name, number in zip(images, numbers, strict=True)}
    else:
        raise DataError(
            f"{uri.text}: the {len(images)} images of {folder} are not sorted into class folders, and no list has "
            f"their labels. Put LOC_val_solution.csv, the devkit or a val.txt of lines 'name synset' into {top}."
        )
    if unlisted := [name for name in images if Path(name).stem not in labels]:
        count = f"{len(unlisted)} of {len(images)}"
        raise DataError(f"{uri.text}: {count} images of {folder} have no label: {quoted(unlisted)}.")
    return listed_files(uri, root, ((f"val/{name}", labels[Path(name).stem]) for name in images))
