"""ImageNet as people have it on disk: sorted, flat with each kind of label list, Kaggle's tree, and the archives."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from trionet_bench.data.sources.imagenet import unpack
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError

SYNSETS = ("n01440764", "n02012849", "n03126707")
NAMES = {"n01440764": "tench, Tinca tinca", "n02012849": "crane", "n03126707": "crane"}
VAL = ("n03126707", "n01440764", "n02012849", "n03126707")  # of ILSVRC2012_val_00000001.JPEG and so on


def jpeg(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (20, 16), shade).save(buffer, "JPEG")
    return buffer.getvalue()


def write_train(folder: Path) -> None:
    for synset in SYNSETS:
        (folder / synset).mkdir(parents=True)
        for number in range(2):
            (folder / synset / f"{synset}_{number}.JPEG").write_bytes(jpeg(number))


def write_flat_val(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, synset in enumerate(VAL, 1):
        (folder / f"ILSVRC2012_val_{number:08d}.JPEG").write_bytes(jpeg(SYNSETS.index(synset) * 50))


def write_devkit(folder: Path) -> None:
    """Numbers 1 to 3 are not in the order of the synsets; number 4 is an inner node of the tree."""
    folder.mkdir(parents=True)
    order = ("n02012849", "n03126707", "n01440764")
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    rows = [(number, synset, NAMES[synset], "", 0) for number, synset in enumerate(order, 1)]
    savemat(folder / "meta.mat", {"synsets": np.array([*rows, (4, "n00000001", "bird", "", 2)], dtype=kinds)})
    truth = "".join(f"{order.index(synset) + 1}\n" for synset in VAL)
    (folder / "ILSVRC2012_validation_ground_truth.txt").write_text(truth)


def write_sorted_val(top: Path) -> Path:
    for number, synset in enumerate(VAL):
        (top / "val" / synset).mkdir(parents=True, exist_ok=True)
        (top / "val" / synset / f"{number}.JPEG").write_bytes(jpeg(SYNSETS.index(synset) * 50))
    return top


def write_listed_val(top: Path) -> Path:
    write_flat_val(top / "val")
    (top / "val.txt").write_text("".join(f"ILSVRC2012_val_{i:08d}.JPEG {synset}\n" for i, synset in enumerate(VAL, 1)))
    return top


def write_numbered_val(top: Path) -> Path:
    write_flat_val(top / "val")
    lines = [f"ILSVRC2012_val_{i:08d}.JPEG {SYNSETS.index(synset)}\n" for i, synset in enumerate(VAL, 1)]
    (top / "val.txt").write_text("".join(lines))
    return top


def write_devkit_val(top: Path) -> Path:
    write_flat_val(top / "val")
    write_devkit(top / "ILSVRC2012_devkit_t12" / "data")
    return top


def write_kaggle(top: Path) -> Path:
    rows = [f"ILSVRC2012_val_{number:08d},{synset} 1 2 30 40 {synset} 5 6 7 8" for number, synset in enumerate(VAL, 1)]
    write_flat_val(top / "ILSVRC/Data/CLS-LOC/val")
    (top / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *rows]) + "\n")
    return top / "ILSVRC/Data/CLS-LOC"


WRITERS = [write_sorted_val, write_listed_val, write_numbered_val, write_devkit_val, write_kaggle]


@pytest.mark.parametrize("write", WRITERS)
def test_every_layout_gives_the_same_labels(write: Callable[[Path], Path], tmp_path: Path):
    write_train(write(tmp_path) / "train")
    index = open_source(f"imagenet:{tmp_path}")
    assert [name[:9] for name in index.classes] == list(SYNSETS)
    assert index.counts == {"train": 6, "val": 4}
    for position, label in enumerate(index.labels["val"]):
        assert index.read("val", position).getpixel((0, 0)) == label * 50


def test_names_come_from_the_mapping_file_and_stay_distinct(tmp_path: Path):
    write_train(write_sorted_val(tmp_path) / "train")
    mapping = "".join(f"{synset} {words}\n" for synset, words in NAMES.items())
    (tmp_path / "LOC_synset_mapping.txt").write_text(mapping)
    assert open_source(f"imagenet:{tmp_path}").classes == ("n01440764 tench", "n02012849 crane", "n03126707 crane")


def test_the_real_thing_must_be_whole_and_a_part_of_it_must_say_so(tmp_path: Path):
    write_train(write_sorted_val(tmp_path) / "train")
    mapping = [*SYNSETS, *(f"n{number:08d}" for number in range(997))]
    (tmp_path / "LOC_synset_mapping.txt").write_text("".join(f"{synset} thing\n" for synset in mapping))
    with pytest.raises(DataError, match="train has 6 images, where ImageNet has 1281167"):
        open_source(f"imagenet:{tmp_path}")
    assert open_source(f"imagenet:{tmp_path}?subset=1").counts == {"train": 6, "val": 4}


def test_flat_val_images_without_a_list_say_which_lists_would_do(tmp_path: Path):
    write_train(tmp_path / "train")
    write_flat_val(tmp_path / "val")
    with pytest.raises(DataError, match=r"the 4 images of .* no list has their labels. Put LOC_val_solution\.csv"):
        open_source(f"imagenet:{tmp_path}")


def test_numbers_for_all_classes_are_read_by_the_list_of_all_or_refused(tmp_path: Path):
    write_train(tmp_path / "train")
    write_flat_val(tmp_path / "val")
    full = sorted([*SYNSETS, *(f"n0{number:07d}" for number in range(1000, 1097))])  # a list of a hundred classes
    lines = [f"ILSVRC2012_val_{i:08d}.JPEG {full.index(synset)}\n" for i, synset in enumerate(VAL, 1)]
    (tmp_path / "val.txt").write_text("".join(lines))
    with pytest.raises(DataError, match=r"val\.txt numbers classes up to 99, and 3 are known here"):
        open_source(f"imagenet:{tmp_path}")
    (tmp_path / "LOC_synset_mapping.txt").write_text("".join(f"{synset} thing\n" for synset in full))
    index = open_source(f"imagenet:{tmp_path}")
    assert index.labels["val"].tolist() == [SYNSETS.index(synset) for synset in VAL]
    (tmp_path / "val.txt").write_text("".join(line.replace(" 9", " 8") for line in lines))
    with pytest.raises(DataError, match=r"by the numbers of .* val has class .* which train does not have"):
        open_source(f"imagenet:{tmp_path}")


def test_a_line_of_another_form_is_named(tmp_path: Path):
    write_train(write_listed_val(tmp_path) / "train")
    (tmp_path / "val.txt").write_text("ILSVRC2012_val_00000001.JPEG n01440764 tench\n")
    with pytest.raises(DataError, match=r"line 1 of .* is not the name of an image and its synset"):
        open_source(f"imagenet:{tmp_path}")


def test_the_halves_of_files_that_macos_leaves_need_no_label(tmp_path: Path):
    write_train(write_listed_val(tmp_path) / "train")
    (tmp_path / "val" / "._ILSVRC2012_val_00000001.JPEG").write_bytes(b"\0\5")
    index = open_source(f"imagenet:{tmp_path}")
    assert index.counts == {"train": 6, "val": 4}
    assert [(each.suffix, each.reason, each.count) for each in index.left_out] == [(".jpeg", "hidden", 1)]


def test_a_missing_imagenet_says_where_it_was_looked_for(tmp_path: Path):
    with pytest.raises(DataError) as caught:
        open_source("imagenet:ilsvrc", data_root=tmp_path / "data", base=tmp_path)
    assert f"{tmp_path}/ilsvrc or {tmp_path}/data/ilsvrc" in str(caught.value)


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def test_the_original_archives_are_unpacked_by_fetch_and_then_open(tmp_path: Path):
    with tarfile.open(tmp_path / "ILSVRC2012_img_train.tar", "w") as train:
        for synset in SYNSETS:
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as of_class:
                add(of_class, f"{synset}_1.JPEG", jpeg(1))
            add(train, f"{synset}.tar", inner.getvalue())
    with tarfile.open(tmp_path / "ILSVRC2012_img_val.tar", "w") as val:
        for number, synset in enumerate(VAL, 1):
            add(val, f"ILSVRC2012_val_{number:08d}.JPEG", jpeg(SYNSETS.index(synset) * 50))
    write_devkit(tmp_path / "devkit" / "data")
    with tarfile.open(tmp_path / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as devkit:
        devkit.add(tmp_path / "devkit", "ILSVRC2012_devkit_t12")
    for file in (tmp_path / "devkit" / "data").iterdir():
        file.unlink()

    with pytest.raises(DataError, match=r"not unpacked.*data fetch imagenet:"):
        open_source(f"imagenet:{tmp_path}")
    unpack(tmp_path)
    index = open_source(f"imagenet:{tmp_path}")
    assert index.classes == ("n01440764 tench", "n02012849 crane", "n03126707 crane")
    assert index.labels["val"].tolist() == [SYNSETS.index(synset) for synset in VAL]
