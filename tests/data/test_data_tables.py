"""Tables, arrays, the Hugging Face manner and the generated sets."""

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.pictures import pngs

from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.broken_images import find_broken_images
from trionet_bench.data.sources.generated.match import matches
from trionet_bench.data.sources.generated.texture import textures
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError, UsageError

COLOURS = {"red": (200, 0, 0), "green": (0, 200, 0)}


def write_table(folder: Path, header: str, rows: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    for row in rows:
        path, label = row.split(",")[:2]
        (folder / path).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), COLOURS[label]).save(folder / path)
    (folder / "list.csv").write_text("\n".join([header, *rows]) + "\n")


def test_a_table_gives_paths_labels_and_splits(tmp_path: Path):
    rows = ["x/1.png,red,train", "x/2.png,green,train", "x/3.png,red,test", "x/4.png,green,Validation"]
    write_table(tmp_path / "t", "Path,Label,Split", rows)
    index = open_source("csv:t/list.csv", base=tmp_path)
    assert index.classes == ("green", "red")
    labels = {part: of_part.tolist() for part, of_part in index.labels.items()}
    assert labels == {"train": [1, 0], "test": [1], "val": [0]}
    assert index.read("test", 0).getpixel((0, 0)) == COLOURS["red"]


def test_a_table_without_splits_holds_out_a_fifth(tmp_path: Path):
    write_table(tmp_path / "t", "path,label", [f"x/{n}.png,{'red' if n % 2 else 'green'}" for n in range(20)])
    index = open_source("csv:t/list.csv", base=tmp_path)
    assert np.bincount(index.labels["test"]).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        ("file,label", "x/1.png,red", "path and label are needed"),
        ("path,label,split", "x/1.png,red,tset", 'line 2 of .* has the split "tset"; did you mean "test"'),
        ("path,label", "x/1.png,red,brown", "line 2 of .* has 3 values where the first line has 2; put a value"),
        ("path,label,label", "x/1.png,red,red", "path and label are needed, once each"),
        ("path,label,split", "x/1.png,red,val", "all rows of .* have the split val; needed are train"),
        ("path,label,split", "x/1.png,red,train", "all rows of .* have the split train; needed are train"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(header: str, row: str, words: str, tmp_path: Path):
    write_table(tmp_path, header, [row])
    with pytest.raises(DataError, match=words):
        open_source("csv:list.csv", base=tmp_path)


def write_listed(folder: Path, table: bytes) -> Index:
    """The index of a table over x/0.png to x/9.png and x/a,b.png."""
    (folder / "x").mkdir(exist_ok=True)
    for number in range(10):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / "x" / f"{number}.png")
    Image.new("RGB", (8, 8)).save(folder / "x" / "a,b.png")
    (folder / "list.csv").write_bytes(table)
    return open_source("csv:list.csv", base=folder)


NAMES = ("cap", "boots, br\u00fcn")
LINES = [f"x/{number}.png,{NAMES[number % 2]}" for number in range(10)]
QUOTED = [f'x/{number}.png,"{NAMES[number % 2]}"' for number in range(10)]


@pytest.mark.parametrize(
    "table",
    [
        "\n".join(["path,label", *QUOTED]).encode(),
        "\r\n".join(["path,label", *QUOTED]).encode("utf-8-sig"),
        "\n".join(["path,label", *QUOTED]).encode("utf-16"),
        "\n".join(["path;label", *(line.replace(",", ";", 1) for line in LINES), "", ";"]).encode(),
        "\n".join(["path\tlabel", *(line.replace(",", "\t", 1) for line in LINES)]).encode(),
        "\n".join([" Path , LABEL", *(line.replace(',"', ' , "') for line in QUOTED)]).encode(),
        "\n".join(["path,label", *(line.replace("/", "\\") for line in QUOTED)]).encode(),
        "\n".join(["path,label", *QUOTED, *QUOTED[:3]]).encode(),
        "\n".join(["path,label", *(line.replace("\u00fc", "u\u0308") for line in QUOTED)]).encode(),
    ],
    ids=["plain", "mark", "utf-16", "semicolons", "tabs", "blanks", "backslashes", "repeated", "decomposed"],
)
def test_tables_as_programs_write_them_are_read_alike(table: bytes, tmp_path: Path):
    index = write_listed(tmp_path, table)
    assert index.classes == ("boots, br\u00fcn", "cap")
    assert index.counts == {"train": 8, "test": 2}
    for part in index.labels:
        for position, label in enumerate(index.labels[part]):
            assert index.read(part, position).getpixel((0, 0))[0] % 2 == 1 - label


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("path,label\nx/1.png,br\u00fcn\n".encode("latin1"), "line 2 is not UTF-8; it seems to be Latin-1"),
        (b"path,label\nx/1.png,a\nx/1.png,b\n", "x/1.png stands in lines 2 and 3 of .* with different labels"),
        (b"path,label,split\nx/1.png,a,train\n./x/1.png,a,test\n", "lines 2 and 3 of .* with different splits"),
        (b"path,label\nx/1.png,a\nx/\x00.png,b\n", "line 3 of .* has a null character in its path"),
        (b'path,label\nx/1.png,"a\n', "cannot be read: unexpected end of data. Correct its quotes"),
        (b"path,label\nx/1.png,a\0\n", "control characters"),
        (b"path,label\nx/1.png, \n", "line 2 of .* has no label"),
        (b"path,label\nx,a\n", '1 of 1 listed images are no files under .*: "x"'),
        (b"path,label\n", "lists no image"),
        (b"", "path and label are needed"),
        (b"path,label\n" + b"".join(b"x/%d.png,a\n" % n for n in range(10)), "are of one class"),
    ],
)
def test_a_table_that_is_not_clear_is_refused_with_its_line(table: bytes, words: str, tmp_path: Path):
    with pytest.raises(DataError, match=words):
        write_listed(tmp_path, table)


def test_a_row_without_its_file_is_named(tmp_path: Path):
    write_table(tmp_path, "path,label", ["x/1.png,red", "x/2.png,green"])
    (tmp_path / "x/2.png").unlink()
    with pytest.raises(DataError, match=r"1 of 2 listed images .* \"x/2\.png\""):
        open_source("csv:list.csv", base=tmp_path)


def arrays(part: str, count: int, *shape: int) -> dict[str, np.ndarray]:
    images = np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)
    return {f"{part}_images": images, f"{part}_labels": (np.arange(count) % 3 + 5)[:, None]}


@pytest.mark.parametrize(("shape", "channels"), [((12, 10), 1), ((12, 10, 3), 3)])
def test_an_npz_file_gives_its_arrays(shape: tuple[int, ...], channels: int, tmp_path: Path):
    content = {**arrays("train", 9, *shape), **arrays("val", 3, *shape), **arrays("test", 6, *shape)}
    np.savez_compressed(tmp_path / "cells.npz", **content)
    index = open_source("npz:cells.npz", base=tmp_path)
    assert (index.name, index.classes, index.channels, index.native_size) == ("cells", ("5", "6", "7"), channels, 10)
    assert index.counts == {"train": 9, "val": 3, "test": 6}
    assert np.array_equal(index.arrays("val"), content["val_images"].reshape(3, 12, 10, channels))
    before = index.fingerprint
    content["test_images"][0, 0, 0] ^= 1
    np.savez_compressed(tmp_path / "cells.npz", **content)
    assert open_source("npz:cells.npz", base=tmp_path).fingerprint != before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (arrays("train", 4, 8, 8), "Expected are arrays train_images, train_labels"),
        (
            {**arrays("train", 4, 8, 8), **arrays("test", 4, 8, 8), "train_images": np.zeros((4, 8, 8))},
            "of train are float64",
        ),
        ({**arrays("train", 2, 8, 8), **arrays("test", 3, 8, 8)}, 'test has class "7", which train does not have'),
        ({**arrays("train", 4, 8, 8), **arrays("test", 3, 8, 8), "classes": np.array(["a"])}, "names 1 classes"),
    ],
)
def test_a_wrong_npz_file_is_refused(content: dict[str, np.ndarray], words: str, tmp_path: Path):
    np.savez(tmp_path / "x.npz", **content)
    with pytest.raises(DataError, match=words):
        open_source("npz:x.npz", base=tmp_path)


def test_generated_sets_are_the_same_for_the_same_seed_and_balanced():
    first, again, other = (open_source(f"synthetic:match?n=100&seed={seed}") for seed in (3, 3, 4))
    assert first.counts == {"train": 80, "test": 20}
    assert np.bincount(first.labels["train"]).tolist() == [40, 40]
    assert np.array_equal(first.arrays("test"), again.arrays("test"))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert first.arrays("train").shape == (80, 32, 32, 1)
    with pytest.raises(UsageError, match="n cannot be"):
        open_source("synthetic:match?n=many")


def test_a_match_is_two_equal_marks_far_apart_and_not_brighter_than_others():
    labels = np.array([0, 1] * 200)
    images = matches(labels, 32, np.random.default_rng(0)) > 100  # where there is ink
    for image, label in zip(images, labels, strict=True):
        left, right = (half[np.ix_(half.any(1), half.any(0))] for half in (image[:, :16], image[:, 16:]))
        assert np.array_equal(left, right) == bool(label)
    columns = images.any(axis=(0, 1)).nonzero()[0]
    assert set(columns) <= {*range(4, 12), *range(20, 28)}  # at least eight empty columns in between
    assert columns.min() == 4
    assert set(images.sum(axis=(1, 2))) == {2 * 10}


def test_a_texture_varies_across_its_grating_and_not_along_it():
    images = textures(np.array([0, 1, 2, 3]), 32, np.random.default_rng(0))[:, :8, :8]  # one patch: one phase
    steps = {0: (1, 0), 1: (1, -1), 2: (0, 1), 3: (1, 1)}  # (down, right) along the stripes
    for label, (down, right) in steps.items():
        image = images[label]
        along = np.abs(image[1:-1, 1:-1] - np.roll(image, (down, right), (0, 1))[1:-1, 1:-1]).max()
        assert along < 1e-9


def write_parquet(
    folder: Path, parts: dict[str, int], kinds: tuple[int, ...] = (0, 1), names: tuple[str, ...] = ("red", "green")
) -> None:
    import datasets

    folder.mkdir(parents=True)
    features = datasets.Features({"picture": datasets.Image(), "kind": datasets.ClassLabel(names=list(names))})
    for part, count in parts.items():
        labels = [kinds[number % len(kinds)] for number in range(count)]
        pictures = [Image.new("RGB", (8, 8), list(COLOURS.values())[label % 2]) for label in labels]
        table = datasets.Dataset.from_dict({"picture": pictures, "kind": labels}, features=features)
        table.to_parquet(folder / f"{part}-00000-of-00001.parquet")


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.usefixtures("hub_cache")
def test_a_parquet_folder_is_read_by_the_types_of_its_columns(tmp_path: Path):
    write_parquet(tmp_path / "p", {"train": 6, "validation": 4})
    index = open_source("hf:p", base=tmp_path)
    assert (index.classes, index.channels, index.native_size) == (("red", "green"), 3, 8)
    assert {part: labels.tolist() for part, labels in index.labels.items()} == {"train": [0, 1] * 3, "val": [0, 1] * 2}
    assert index.read("val", 1).getpixel((0, 0)) == COLOURS["green"]
    with pytest.raises(UsageError, match=r'no column "colour"; there are picture \(Image\), kind \(ClassLabel\)'):
        open_source("hf:p?label=colour", base=tmp_path)


@pytest.mark.usefixtures("hub_cache")
def test_a_class_that_the_table_declares_but_no_image_has_is_a_warning(tmp_path: Path):
    write_parquet(tmp_path / "p", {"train": 4, "test": 2}, kinds=(1, 2), names=("red", "green", "blue"))
    index = open_source("hf:p", base=tmp_path)
    assert index.classes == ("red", "green", "blue")
    assert index.labels["train"].tolist() == [1, 2, 1, 2]
    assert index.warnings == tuple(f'{part} has no image of class "red"' for part in ("train", "test"))


@pytest.mark.usefixtures("hub_cache")
def test_a_declared_class_that_only_train_lacks_is_an_error(tmp_path: Path):
    write_parquet(tmp_path / "p" / "one", {"train": 4}, kinds=(0,))
    write_parquet(tmp_path / "p" / "two", {"test": 4})
    for part, folder in (("train", "one"), ("test", "two")):
        file = f"{part}-00000-of-00001.parquet"
        (tmp_path / "p" / folder / file).rename(tmp_path / "p" / file)
    with pytest.raises(DataError, match='test has class "green", which train does not have'):
        open_source("hf:p", base=tmp_path)


def write_columns(folder: Path, **splits: dict[str, pa.Array]) -> Path:
    """Parquet files of plain columns, one for each split."""
    folder.mkdir(parents=True)
    for split, columns in splits.items():
        pq.write_table(pa.table(columns), folder / f"{split}-00000-of-00001.parquet")
    return folder


TEST = {"image": pngs(4, 50), "label": [0, 1, 0, 1]}


@pytest.mark.usefixtures("hub_cache")
@pytest.mark.parametrize(
    ("columns", "classes"),
    [
        ({"image": pngs(6), "label": [0, 1, 0, 1, 0, 1]}, ("0", "1")),  # encoded bytes without a type
        ({"image": [{"bytes": png, "path": None} for png in pngs(6)], "label": [0, 1] * 3}, ("0", "1")),
        ({"image": pngs(6), "label": [0.0, 1.0] * 3}, ("0", "1")),
        ({"image": pngs(6), "label": [[0], [1]] * 3}, ("0", "1")),
        ({"image": pngs(6), "label": [True, False] * 3}, ("False", "True")),
        ({"image": pngs(6), "label": [" caf\u00e9", "tee "] * 3}, ("caf\u00e9", "tee")),
    ],
    ids=["bytes", "records", "floats", "lists of one", "booleans", "names"],
)
def test_plain_columns_are_read(columns: dict[str, list], classes: tuple[str, ...], tmp_path: Path):
    test = {**columns, "image": columns["image"][::-1]}
    write_columns(tmp_path / "p" / "data", train=columns, eval=test)
    index = open_source("hf:p", base=tmp_path)
    assert (index.classes, index.counts) == (classes, {"train": 6, "val": 6})
    assert index.read("train", 3).getpixel((0, 0))[0] == 3
    assert len(np.unique(index.reader.digests("train"), axis=0)) == 6


@pytest.mark.usefixtures("hub_cache")
@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"label": [0, 1, None, 1, 0, None]}, 'column "label" of split train: 2 of 6 rows .* the first is row 2'),
        ({"label": ["a", None, "b", "a", "b", "a"]}, "1 of 6 rows have no label, the first is row 1"),
        ({"label": [[0], [0, 1], [1], [], [0], [1]]}, "several labels for an image .multi-label."),
        ({"label": [[0, 1], [1, 0]] * 3}, "one-hot: store the number of the class instead"),
        ({"label": [[1, 1], [1, 0]] * 3}, "several for an image"),
        ({"label": [0.5, 1.0] * 3}, "row 0 is 0.5"),
        ({"label": [{"a": 1}] * 6}, "holds struct.* needed is one number or name"),
        ({"label": [0] * 6}, "are of one class"),
    ],
)
def test_labels_that_are_no_single_class_are_refused_with_their_row(
    columns: dict[str, list], words: str, tmp_path: Path
):
    write_columns(tmp_path / "p", train={"image": pngs(6), **columns}, test={"image": pngs(6, 50), **columns})
    with pytest.raises(DataError, match=words):
        open_source("hf:p", base=tmp_path)


@pytest.mark.usefixtures("hub_cache")
def test_a_test_split_without_labels_is_refused_and_another_is_offered(tmp_path: Path):
    train, hidden = {"image": pngs(6), "label": [0, 1] * 3}, {"image": pngs(4, 90), "label": [-1] * 4}
    write_columns(tmp_path / "p", train=train, validation=TEST, test=hidden)
    with pytest.raises(DataError, match=r'"label" of split test: 4 of 4 are -1.*\?test=validation'):
        open_source("hf:p", base=tmp_path)
    index = open_source("hf:p?test=validation", base=tmp_path)
    assert index.counts == {"train": 6, "test": 4}
    assert any("the split test is not used" in warning for warning in index.warnings)


@pytest.mark.usefixtures("hub_cache")
def test_an_empty_image_cell_is_a_broken_image_with_its_row(tmp_path: Path):
    images = pngs(6)
    write_columns(tmp_path / "p", train={"image": [*images[:3], None, *images[4:]], "label": [0, 1] * 3}, test=TEST)
    index = open_source("hf:p", base=tmp_path)
    broken = find_broken_images(index)
    assert [(each.item, each.reason) for each in broken] == [("train row 3", "the cell is empty")]


@pytest.mark.usefixtures("hub_cache")
def test_paths_in_cells_start_from_the_folder_of_the_table(tmp_path: Path):
    folder = tmp_path / "p" / "data"
    for part in ("train", "test"):
        cells = [{"bytes": None, "path": f"img/{part}{number}.png"} for number in range(4)]
        table = write_columns(tmp_path / part, **{part: {"image": cells, "label": [0, 1] * 2}})
        folder.mkdir(parents=True, exist_ok=True)
        (table / f"{part}-00000-of-00001.parquet").rename(folder / f"{part}-00000-of-00001.parquet")
        (folder / "img").mkdir(exist_ok=True)
        for number in range(4):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / "img" / f"{part}{number}.png")
    index = open_source("hf:p", base=tmp_path)
    assert index.read("test", 2).getpixel((0, 0))[0] == 2


@pytest.mark.usefixtures("hub_cache")
@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"image": [[png] for png in pngs(6)]}, r"no image column among image \(List\).* one image in each row"),
        ({"image": pngs(6), "mask": pngs(6)}, r"several columns may be the image .*\?image="),
    ],
)
def test_columns_that_are_not_one_image_a_row_must_be_named(columns: dict[str, list], words: str, tmp_path: Path):
    write_columns(tmp_path / "p", train={**columns, "label": [0, 1] * 3}, test={**columns, "label": [0, 1] * 3})
    with pytest.raises(UsageError, match=words):
        open_source("hf:p", base=tmp_path)


@pytest.mark.usefixtures("hub_cache")
def test_a_damaged_parquet_file_is_a_data_error(tmp_path: Path):
    write_columns(tmp_path / "p", train={"image": pngs(6), "label": [0, 1] * 3}, test=TEST)
    (tmp_path / "p" / "test-00000-of-00001.parquet").write_bytes(b"PAR1 damaged PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        open_source("hf:p", base=tmp_path)


@pytest.mark.usefixtures("hub_cache")
def test_what_save_to_disk_wrote_is_read_and_a_lone_train_split_gives_a_test_part(tmp_path: Path):
    import datasets

    pictures = [Image.new("L", (8, 8), 10 * number) for number in range(10)]
    rows = {"image": pictures, "label": ["a", "b"] * 5, "other": list(range(10))}
    datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image()).save_to_disk(tmp_path / "d")
    index = open_source("hf:d", base=tmp_path)
    assert (index.classes, index.channels, index.counts) == (("a", "b"), 1, {"train": 8, "test": 2})
    assert index.labels["test"].tolist() == [0, 1] or index.labels["test"].tolist() == [1, 0]
    for part in ("train", "test"):
        for position, label in enumerate(index.labels[part]):
            assert index.read(part, position).getpixel((0, 0)) // 10 % 2 == label


def test_a_named_set_is_read_from_the_snapshot_of_its_revision(tmp_path: Path, hub_cache: Path):
    cache = hub_cache / "datasets--someone--colours"
    write_parquet(cache / "snapshots" / "c0ffee", {"train": 6, "test": 2})
    (cache / "refs").mkdir()
    (cache / "refs" / "v1").write_text("c0ffee")
    assert open_source("hf:someone/colours@v1").counts == {"train": 6, "test": 2}
    assert open_source("hf:someone/colours@c0ffee").fingerprint == open_source("hf:someone/colours@v1").fingerprint


@pytest.mark.usefixtures("hub_cache")
def test_a_missing_named_set_says_how_to_fetch_it():
    with pytest.raises(DataError, match=r"trionet-bench data fetch hf:someone/colours@v2"):
        open_source("hf:someone/colours@v2")
    with pytest.raises(DataError, match="write hf:NAME@REVISION"):
        open_source("hf:someone/colours")


def test_a_reader_travels_to_worker_processes_without_its_images():
    index = open_source("synthetic:match?n=1000")
    images = index.arrays("train")
    sent = pickle.dumps(index.reader)
    assert len(sent) < images.nbytes / 10
    assert np.array_equal(pickle.loads(sent).arrays("train"), images)
