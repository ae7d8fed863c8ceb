"""Folders of any layout: recognised as a person reads them, or refused with the way to say what is meant."""

import os
from pathlib import Path

import pytest
from PIL import Image

from trionet_bench.data.index import Index
from trionet_bench.data.sources.names import part_names
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError


def write(root: Path, *paths: str) -> None:
    """Small pictures, each of another colour, in the format of their suffix."""
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number % 256, number // 256, 90)).save(root / path)


def write_parts(root: Path, *folders: str) -> None:
    write(root, *(f"{folder}/{name}/{number}.png" for folder in folders for name in ("a", "b") for number in range(5)))


def opened(root: Path, options: str = "") -> Index:
    return open_source(f"folder:{root}{options}")


def unused(index: Index) -> dict[tuple[str, str], int]:
    return {(each.suffix, each.reason): each.count for each in index.left_out}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        *((name, ("train",)) for name in ("train", "Training", "TRAIN", "seg_train", "train_images", "train-set")),
        *((name, ("train",)) for name in ("trainval", "Train Data")),
        *((name, ("val",)) for name in ("val", "Valid", "validation", "val_images", "dev")),
        *((name, ("test",)) for name in ("test", "Testing", "seg_test", "test_set", "TestImages")),
        ("eval", ("val", "test")),
        *((name, ()) for name in ("trains", "contest", "sets", "images", "seg", "valley", "")),
    ],
)
def test_names_of_parts_in_any_case_and_common_spelling(name: str, parts: tuple[str, ...]):
    assert part_names(name) == parts


@pytest.mark.parametrize(
    ("folders", "counts"),
    [
        (("Training", "Testing"), {"train": 10, "test": 10}),
        (("seg_train/seg_train", "seg_test/seg_test"), {"train": 10, "test": 10}),
        (("train", "valid", "eval"), {"train": 10, "val": 10, "test": 10}),
        (("train", "eval", "test"), {"train": 10, "val": 10, "test": 10}),
        (("trainval", "validation"), {"train": 10, "val": 10}),
    ],
)
def test_parts_are_recognised(folders: tuple[str, ...], counts: dict[str, int], tmp_path: Path):
    write_parts(tmp_path, *folders)
    index = opened(tmp_path)
    assert (index.classes, index.counts, index.left_out) == (("a", "b"), counts, ())


def test_a_class_may_be_called_like_a_part(tmp_path: Path):
    write(tmp_path, *(f"{name}/{number}.png" for name in ("bus", "car", "train") for number in range(5)))
    index = opened(tmp_path)
    assert index.classes == ("bus", "car", "train")
    assert "the folder train is taken as a class" in index.warnings
    write(tmp_path, "train/steam/1.png", "train/diesel/1.png")  # further folders of the class, beside two others
    assert opened(tmp_path).classes == ("bus", "car", "train")


@pytest.mark.parametrize(
    ("paths", "words", "option", "classes"),
    [
        # a test part, or a class called test?
        (("cat/1.png", "dog/1.png", "test/1.png"), r"write .*\?layout=flat", "?layout=flat", ("cat", "dog", "test")),
        (("train/a/1.png", "train/b/1.png", "more/1.png"), r"\?train=train", "?train=train&test=none", ("a", "b")),
        (("train/a/1.png", "train/b/1.png", "training/a/1.png", "test/a/1.png"), r"\?train=train or ", None, ()),
        (("train/1.png", "test/1.png"), "nothing has a label", None, ()),
        (("val/a/1.png", "val/b/1.png"), "has val but no train", None, ()),
        (("set/train/a/1.png", "set/test/a/1.png"), "one folder further down; write folder:.*/set", None, ()),
        (("a/train/1.png", "a/test/1.png", "b/train/1.png"), "is divided into parts", "?layout=flat", ("a", "b")),
        (("heap/1.png",), "no two folders with images", None, ()),
    ],
)
def test_what_may_mean_two_things_is_refused_with_the_way_out(
    paths: tuple[str, ...], words: str, option: str | None, classes: tuple[str, ...], tmp_path: Path
):
    write(tmp_path, *(path.replace("1.png", f"{number}.png") for path in paths for number in range(3)))
    with pytest.raises(DataError, match=f"(?i){words}"):
        opened(tmp_path)
    if option is not None:
        assert opened(tmp_path, option).classes == classes


def test_a_test_part_without_labels_is_refused_and_val_is_offered(tmp_path: Path):
    write_parts(tmp_path, "train", "val")
    write(tmp_path, "test/1.png", "test/2.png")
    with pytest.raises(DataError, match=r"test holds 2 images without class folders.*\?test=val to test on val"):
        opened(tmp_path)
    index = opened(tmp_path, "?test=val")
    assert index.counts == {"train": 10, "test": 10}
    assert unused(index) == {(".png", "beside the parts"): 2}
    assert any("the folder test is not used" in warning for warning in index.warnings)


def test_without_val_a_test_part_is_held_out_where_that_is_said(tmp_path: Path):
    write_parts(tmp_path, "train")
    write(tmp_path, "test/1.png")
    with pytest.raises(DataError, match=r"\?test=none to hold out"):
        opened(tmp_path)
    assert opened(tmp_path, "?test=none").counts == {"train": 8, "test": 2}


def test_an_empty_part_is_refused(tmp_path: Path):
    write_parts(tmp_path, "train", "val")
    (tmp_path / "test" / "a").mkdir(parents=True)
    with pytest.raises(DataError, match="the test part test holds no image"):
        opened(tmp_path)


def test_every_format_that_is_decoded_counts_and_the_rest_is_named(tmp_path: Path):
    write_parts(tmp_path, "train", "test")
    write(tmp_path, *(f"train/a/x.{suffix}" for suffix in ("jfif", "jpe", "avif", "jp2", "webp", "JPG", "tga")))
    (tmp_path / "train" / "a" / "x.webp").rename(tmp_path / "train" / "a" / "photograph")
    (tmp_path / "train" / "a" / "photo.heic").write_bytes(b"....ftypheic")
    (tmp_path / "train" / "a" / "LICENCE").write_text("of the photographs")
    (tmp_path / "train" / "notes.txt").write_text("of the photographs")
    index = opened(tmp_path)
    assert index.counts == {"train": 17, "test": 10}
    assert unused(index) == {
        ("", "no image by its content"): 1,
        (".heic", "format not decoded here"): 1,
        (".txt", "no image"): 1,
    }
    assert any("1 files .heic are left out" in warning for warning in index.warnings)


@pytest.mark.parametrize(
    "folder",
    [
        "@eaDir",
        ".thumbnails",
        "lost+found",
        "$RECYCLE.BIN",
        "__MACOSX",
        ".ipynb_checkpoints",
        "System Volume Information",
    ],
)
def test_folders_of_systems_are_no_classes(folder: str, tmp_path: Path):
    write_parts(tmp_path, "train", "test")
    before = opened(tmp_path)
    write(tmp_path, f"{folder}/a/1.png", f"train/{folder}/1.png", f"train/a/{folder}/1.png")
    index = opened(tmp_path)
    assert (index.classes, index.counts) == (("a", "b"), {"train": 10, "test": 10})
    assert index.fingerprint == before.fingerprint
    assert sum(each.count for each in index.left_out) == 3


def test_the_halves_of_files_that_macos_leaves_are_no_images(tmp_path: Path):
    write_parts(tmp_path, "train", "test")
    (tmp_path / "train" / "a" / "._0.png").write_bytes(b"\0\5\x16\7")
    assert unused(opened(tmp_path)) == {(".png", "hidden"): 1}


def test_a_link_that_leads_nowhere_is_a_broken_image_and_one_that_leads_back_is_left_out(tmp_path: Path):
    write_parts(tmp_path, "train", "test")
    (tmp_path / "train" / "a" / "gone.png").symlink_to("/nonexistent.png")
    (tmp_path / "train" / "a" / "self.png").symlink_to("self.png")
    (tmp_path / "train" / "a" / "up").symlink_to("..")
    (tmp_path / "train" / "a" / "above").symlink_to(tmp_path.parent)
    index = opened(tmp_path)
    assert index.counts["train"] == 12
    assert unused(index) == {("", "link to a folder around it"): 2}


def test_a_link_to_another_folder_is_followed(tmp_path: Path):
    write_parts(tmp_path / "elsewhere", "train", "test")
    (tmp_path / "set").mkdir()
    for part in ("train", "test"):
        (tmp_path / "set" / part).symlink_to(tmp_path / "elsewhere" / part)
    assert opened(tmp_path / "set").counts == {"train": 10, "test": 10}


def test_composed_and_decomposed_names_are_one_class(tmp_path: Path):
    write(tmp_path, *(f"train/{name}/{number}.png" for name in ("caf\u00e9", "tee") for number in range(3)))
    write(tmp_path, "test/cafe\u0301/1.png", "test/tee/1.png")
    index = opened(tmp_path)
    assert (index.classes, index.counts) == (("caf\u00e9", "tee"), {"train": 6, "test": 2})


def test_a_class_of_another_case_is_named_as_such(tmp_path: Path):
    write(tmp_path, "train/Cat/1.png", "train/dog/1.png", "test/cat/1.png", "test/dog/1.png")
    with pytest.raises(DataError, match=r'test has class "cat".*"Cat" of train differ only in case'):
        opened(tmp_path)


def test_a_folder_name_that_is_no_text_is_refused_with_its_bytes(tmp_path: Path):
    write_parts(tmp_path, "train", "test")
    os.mkdir(os.fsencode(tmp_path / "train") + b"/caf\xe9")
    write(tmp_path, "x.png")
    os.rename(os.fsencode(tmp_path / "x.png"), os.fsencode(tmp_path / "train") + b"/caf\xe9/1.png")
    with pytest.raises(DataError, match=r'the name "caf\\xe9" is not UTF-8. Rename it'):
        opened(tmp_path)


def test_a_file_name_that_is_no_text_is_read_and_shown_as_its_bytes(tmp_path: Path):
    write_parts(tmp_path, "train", "test")
    os.rename(os.fsencode(tmp_path / "train/a/0.png"), os.fsencode(tmp_path / "train/a") + b"/\x1b\xe9.png")
    index = opened(tmp_path)
    assert index.item("train", 0) == "train/a/\\x1b\\xe9.png"
    with index.read("train", 0) as image:
        assert image.size == (8, 8)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may list every folder")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path):
    write_parts(tmp_path, "train", "test")
    (tmp_path / "train" / "a").chmod(0)
    try:
        with pytest.raises(DataError, match="train/a cannot be listed: Permission denied"):
            opened(tmp_path)
    finally:
        (tmp_path / "train" / "a").chmod(0o700)
