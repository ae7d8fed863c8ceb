"""URIs, the bundled set and class folders: what opens, what is refused, and in which words."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trionet_bench.data.sources.catalogue import named_uri
from trionet_bench.data.sources.opening import open_source
from trionet_bench.data.sources.uri import as_uri, parse_uri, relative_uri
from trionet_bench.errors import DataError, UsageError


def write_images(folder: Path, count: int, colour: tuple[int, int, int] = (200, 30, 30), size: int = 8) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (size, size), colour).save(folder / f"{number}.png")


def write_set(root: Path, parts: dict[str, dict[str, int]]) -> Path:
    for part, classes in parts.items():
        for name, count in classes.items():
            write_images(root / part / name, count)
    return root


def test_a_uri_has_scheme_path_and_options():
    uri = parse_uri("folder:some/birds?flip=0")
    assert (uri.scheme, uri.path, dict(uri.options)) == ("folder", "some/birds", {"flip": "0"})


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("birds", "write scheme:path, for example folder:birds"),
        ("foldr:birds", 'did you mean "folder"?'),
        ("folder:", "needs a name or a path"),
        ("folder:x?flip=0&flip=1", "given twice"),
        ("sklearn:digits?flop=0", 'did you mean "flip"?'),
        ("sklearn:digits?flip=yes", 'flip cannot be "yes"'),
        ("sklearn:digit", 'did you mean "digits"?'),
    ],
)
def test_a_wrong_uri_is_refused_with_the_nearest_right_one(uri: str, words: str):
    with pytest.raises(UsageError) as caught:
        open_source(uri)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("a.csv", "csv:{}"),
        ("a.npz", "npz:{}"),
        ("d/x.parquet", "hf:{}"),
        ("d/y.png", "folder:{}"),
        ("d/LOC_synset_mapping.txt", "imagenet:{}"),
    ],
)
def test_a_path_is_recognised_by_its_suffix_or_by_what_lies_there(tmp_path: Path, file: str, uri: str):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.touch()
    place = path if path.parent == tmp_path else path.parent
    assert as_uri(str(place)) == uri.format(place)


def test_a_uri_is_taken_as_it_is_and_an_absent_path_is_refused(tmp_path: Path):
    assert as_uri("sklearn:digits?flip=0") == "sklearn:digits?flip=0"
    with pytest.raises(UsageError, match=r"neither a folder, a \.csv or \.npz file, nor a source"):
        as_uri(str(tmp_path / "absent"))


def test_a_relative_path_of_a_uri_can_start_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "birds").mkdir()
    monkeypatch.chdir(tmp_path)
    assert relative_uri("folder:birds?flip=0", tmp_path / "results") == "folder:../birds?flip=0"
    assert relative_uri("sklearn:digits", tmp_path / "results") == "sklearn:digits"


@pytest.mark.parametrize("name", ["what?", "50%", "#1 & more", "a%3Fb", "%25", "flip=0?flip=1", "H\u00fchner"])
def test_a_path_that_exists_is_a_path_whatever_signs_it_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_set(tmp_path / name, {"train": {"a": 2, "b": 2}, "test": {"a": 1, "b": 1}})
    monkeypatch.chdir(tmp_path)
    for typed in (name, f"folder:{name}", str(tmp_path / name)):
        assert open_source(as_uri(typed)).counts == {"train": 4, "test": 2}
        assert named_uri(typed) == as_uri(typed)
    relative = relative_uri(as_uri(name), tmp_path / "results")
    assert open_source(relative, base=tmp_path / "results").name == name
    assert not open_source(f"{as_uri(name)}?flip=0").flip_safe


def test_a_path_that_is_no_text_is_refused():
    with pytest.raises(UsageError, match=r"caf\\xe9: the path is not UTF-8"):
        open_source("folder:caf\udce9")


def test_digits_have_the_published_counts_and_a_fixed_stratified_test_part():
    index = open_source("sklearn:digits")
    assert index.counts == {"train": 1437, "test": 360}
    assert (index.channels, index.native_size, index.classes) == (1, 8, tuple("0123456789"))
    # the whole set has 174 to 183 images a class: a fifth of each is 35 or 36 or 37
    assert set(np.bincount(index.labels["test"])) <= {35, 36, 37}
    assert not index.flip_safe
    assert index.fingerprint == open_source("sklearn:digits").fingerprint


def test_digits_equal_those_of_scikit_learn_scaled_to_bytes():
    from sklearn.datasets import load_digits

    index = open_source("sklearn:digits")
    ours = np.concatenate([index.arrays("train"), index.arrays("test")])[:, :, :, 0]
    theirs = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, ours)) == sorted(map(bytes, theirs))
    assert np.array_equal(np.asarray(index.read("train", 3)), index.arrays("train")[3, :, :, 0])


def test_opening_and_splitting_imports_neither_torch_nor_scikit_learn():
    code = (
        "import sys\n"
        "from trionet_bench.data.sources.opening import open_source\n"
        "from trionet_bench.data.pipeline.splits import make_splits\n"
        "make_splits(open_source('sklearn:digits'), 0)\n"
        "print({'torch', 'sklearn'} & set(sys.modules))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_a_folder_takes_its_class_list_from_train(tmp_path: Path):
    parts = {"train": {"wren": 4, "crow": 3}, "val": {"crow": 1}, "test": {"crow": 1, "wren": 2}}
    root = write_set(tmp_path / "birds", parts)
    (root / "train" / "wren" / "notes.txt").write_text("not an image")
    index = open_source("folder:birds", base=tmp_path)
    assert index.classes == ("crow", "wren")
    assert index.labels["train"].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert index.labels["val"].tolist() == [0]
    assert index.item("test", 2) == "test/wren/1.png"
    assert index.warnings == ('val has no image of class "wren"',)
    assert (index.name, index.channels, index.native_size) == ("birds", 3, 8)


def test_a_class_that_train_lacks_is_an_error_that_names_it(tmp_path: Path):
    write_set(tmp_path, {"train": {"crow": 2, "wren": 2}, "val": {"crow": 1, "gull": 1}})
    with pytest.raises(DataError, match='val has class "gull", which train does not have'):
        open_source(f"folder:{tmp_path}")


def test_a_missing_folder_says_where_it_looked_and_what_it_expects(tmp_path: Path):
    with pytest.raises(DataError, match="is not a folder") as caught:
        open_source("folder:birds", base=tmp_path)
    assert str(tmp_path / "birds") in str(caught.value)
    assert "PATH/train/<class>/" in str(caught.value)


def test_the_fingerprint_follows_the_files_and_the_meaning_of_a_flip(tmp_path: Path):
    root = write_set(tmp_path, {"train": {"a": 3, "b": 3}, "val": {"a": 1, "b": 1}})
    before = open_source(f"folder:{root}")
    assert open_source(f"folder:{root}").fingerprint == before.fingerprint
    assert open_source(f"folder:{root}?flip=0").fingerprint != before.fingerprint
    first = root / "train" / "a" / "0.png"
    first.write_bytes(first.read_bytes() + b"\0")
    assert open_source(f"folder:{root}").fingerprint != before.fingerprint


def test_a_folder_of_grey_images_has_one_channel(tmp_path: Path):
    for part in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            Image.new("L", (10, 6), 90).save(tmp_path / part / name / "0.png")
    index = open_source(f"folder:{tmp_path}")
    assert (index.channels, index.native_size) == (1, 6)
    Image.new("RGB", (10, 6)).save(tmp_path / "train" / "b" / "1.png")
    assert open_source(f"folder:{tmp_path}").channels == 3


def test_a_flat_folder_holds_out_the_same_fifth_of_each_class_in_every_run(tmp_path: Path):
    for name, count in (("a", 10), ("b", 20)):
        write_images(tmp_path / "flat" / name, count)
    index = open_source("folder:flat", base=tmp_path)
    assert index.classes == ("a", "b")
    assert np.bincount(index.labels["test"]).tolist() == [2, 4]
    assert np.bincount(index.labels["train"]).tolist() == [8, 16]
    held = [index.item("test", position) for position in range(6)]
    again = open_source("folder:flat", base=tmp_path)
    assert [again.item("test", position) for position in range(6)] == held
    assert "held out as test" in index.warnings[0]


def test_a_folder_without_classes_is_refused(tmp_path: Path):
    write_images(tmp_path / "heap", 3)
    with pytest.raises(DataError, match="there are no two folders with images"):
        open_source("folder:heap", base=tmp_path)


def test_a_relative_path_is_looked_up_below_the_data_root_too(tmp_path: Path):
    write_set(tmp_path / "root" / "birds", {"train": {"a": 2, "b": 2}, "val": {"a": 1, "b": 1}})
    assert open_source("folder:birds", data_root=tmp_path / "root", base=tmp_path).counts == {"train": 4, "val": 2}


def write_cub(root: Path) -> None:
    """Three birds of two kinds; their ids are not in the order of their paths."""
    birds = [
        ("7", "001.Albatross/b.jpg", "1", "1"),
        ("3", "002.Auk/a.jpg", "2", "1"),
        ("5", "001.Albatross/a.jpg", "1", "0"),
    ]
    for _, path, _, _ in birds:
        (root / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(root / "images" / path)
    (root / "images.txt").write_text("".join(f"{bird} {path}\n" for bird, path, _, _ in birds))
    (root / "image_class_labels.txt").write_text("".join(f"{bird} {label}\n" for bird, _, label, _ in birds))
    (root / "train_test_split.txt").write_text("".join(f"{bird} {train}\n" for bird, _, _, train in birds))
    (root / "classes.txt").write_text("1 001.Albatross\n2 002.Auk\n")


def test_the_list_files_of_cub_give_labels_and_parts(tmp_path: Path):
    write_cub(tmp_path)
    index = open_source(f"folder:{tmp_path}?layout=cub&subset=1")
    assert index.classes == ("001.Albatross", "002.Auk")
    assert [index.item("train", 0), index.item("train", 1)] == ["images/001.Albatross/b.jpg", "images/002.Auk/a.jpg"]
    assert {part: labels.tolist() for part, labels in index.labels.items()} == {"train": [0, 1], "test": [0]}
    with pytest.raises(DataError, match="train has 2 images, where CUB_200_2011 has 5994"):
        open_source(f"folder:{tmp_path}?layout=cub")


def test_a_missing_cub_says_where_it_comes_from_and_where_it_was_looked_for(tmp_path: Path):
    with pytest.raises(DataError, match="CaltechDATA") as caught:
        open_source("folder:CUB_200_2011?layout=cub", data_root=tmp_path / "data", base=tmp_path)
    assert f"{tmp_path}/CUB_200_2011 or {tmp_path}/data/CUB_200_2011" in str(caught.value)
