"""Any folder, table, array file or Parquet file opens or is refused as data; every file is used or counted.

Longer, on new examples each time: ``pytest tests/properties tests/data/test_data_any.py --hypothesis-profile long``.
"""

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trionet_bench.data.findings import find_problems
from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.broken_images import find_broken_images
from trionet_bench.data.pipeline.splits import make_splits
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError, UsageError

ANY = settings(max_examples=max(60, settings.default.max_examples))


def encoded(kind: str, seed: int) -> bytes:
    buffer = io.BytesIO()
    generator = np.random.default_rng(seed)
    pixels = {
        "PNG": generator.integers(0, 256, (6, 6, 3), dtype=np.uint8),
        "JPEG": generator.integers(0, 256, (6, 6), dtype=np.uint8),
        "TIFF": generator.integers(0, 4096, (6, 6)).astype(np.uint16),
    }[kind]
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


PICTURES = [encoded(kind, seed) for kind in ("PNG", "JPEG", "TIFF") for seed in range(8)]
CONTENTS = [*PICTURES, b"", b"text\n", PICTURES[0][:40], b"\x89PNG\r\n\x1a\n", b"\xff\xfe\0"]
FOLDERS = [
    "train",
    "Training",
    "val",
    "test",
    "eval",
    "a",
    "b",
    "caf\u00e9",
    "cafe\u0301",
    "A",
    ".git",
    "@eaDir",
    "x y",
]
FILES = ["1.png", "2.PNG", "3.jpg", "4", "5.txt", "6.heic", "._7.png", "8.jfif", "9.tif", "\x1b.png", "\u65e5.webp"]

trees = st.recursive(
    st.dictionaries(st.sampled_from(FILES), st.sampled_from(CONTENTS), max_size=5),
    lambda below: st.dictionaries(st.sampled_from(FOLDERS), below, min_size=1, max_size=5),
    max_leaves=14,
)


def write_tree(root: Path, tree: dict) -> None:
    root.mkdir(exist_ok=True)
    for name, below in tree.items():
        if isinstance(below, bytes):
            (root / name).write_bytes(below)
        else:
            write_tree(root / name, below)


def look(open_it: Callable[[], Index]) -> Index | None:
    """The index, after all that is done before training; None where it is refused."""
    try:
        index = open_it()
        splits = make_splits(index, 0)
    except (DataError, UsageError):
        return None
    find_problems(index, splits)
    find_broken_images(index)
    assert all(index.counts.values())
    return index


@ANY
@given(tree=trees, link=st.sampled_from([None, "..", "nowhere", "."]))
def test_every_file_of_a_folder_is_used_or_counted(tree: dict, link: str | None):
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "set"
        write_tree(root, tree)
        if link is not None:
            (root / "link.png").symlink_to(link)
        index = look(lambda: open_source(f"folder:{root}"))
        if index is not None:
            files = sum(len(names) for _, _, names in os.walk(root))
            links = sum(1 for path in root.rglob("*") if path.is_symlink() and path.is_dir())
            assert sum(index.counts.values()) + sum(each.count for each in index.left_out) == files + links
            assert index.fingerprint == open_source(f"folder:{root}").fingerprint


cells = st.sampled_from(
    [
        "x/0.png",
        "x/1.png",
        "x\\2.png",
        "x/3.png",
        "x",
        "",
        " a ",
        "a",
        "b",
        "train",
        "Test",
        "vaal",
        '"',
        "\0",
        "caf\u00e9",
    ]
)
rows = st.lists(st.lists(cells, min_size=1, max_size=4), max_size=12)


@ANY
@given(
    rows=rows,
    header=st.sampled_from([["path", "label"], ["path", "label", "split"], ["label", "path"], ["file"], []]),
    separator=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-32"]),
)
def test_any_table_is_read_or_refused(rows: list[list[str]], header: list[str], separator: str, encoding: str):
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "x").mkdir()
        for number in range(4):
            (Path(place) / "x" / f"{number}.png").write_bytes(PICTURES[number])
        text = "\n".join(separator.join(row) for row in [header, *rows])
        (Path(place) / "t.csv").write_bytes(text.encode(encoding))
        index = look(lambda: open_source("csv:t.csv", base=Path(place)))
        if index is not None:
            assert set(index.classes) <= {cell.strip() for row in rows for cell in row}


def any_array(kind: str, count: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).random((count, *shape)) * 300 - 20
    return np.array(list(map(str, range(count)))) if kind == "U" else values.astype(kind)


names = st.sampled_from(
    ["train_images", "train_labels", "test_images", "test_labels", "val_images", "val_labels", "classes", "other"]
)
arrays = st.builds(
    any_array,
    st.sampled_from(["uint8", "uint16", "int64", "float32", "bool", "complex64", "U"]),
    st.sampled_from([0, 1, 4, 12]),
    st.sampled_from([(), (1,), (2,), (6, 6), (6, 6, 1), (6, 6, 3), (3, 6, 6), (0, 6)]),
    st.integers(0, 3),
)
sound = {
    "train_images": any_array("uint8", 24, (6, 6), 0),
    "train_labels": np.arange(24) % 2,
    "test_images": any_array("uint8", 6, (6, 6), 1),
    "test_labels": np.arange(6) % 2,
}


@ANY
@given(changed=st.dictionaries(names, arrays, max_size=3), cut=st.sampled_from([None, 10, 200, -30]))
def test_any_file_of_arrays_is_read_or_refused(changed: dict[str, np.ndarray], cut: int | None):
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x.npz"
        np.savez(path, **{**sound, **changed})
        path.write_bytes(path.read_bytes()[:cut])
        index = look(lambda: open_source(f"npz:{path}"))
        if index is not None:
            assert all(len(index.arrays(part)) == count for part, count in index.counts.items())


labels = st.sampled_from([0, 1, 2, -1, None])
columns = st.one_of(
    st.lists(labels, min_size=8, max_size=8),
    st.lists(st.sampled_from(["a", "b ", "", None, "\x1b"]), min_size=8, max_size=8),
    st.lists(st.sampled_from([0.0, 1.0, 0.5, float("nan")]), min_size=8, max_size=8),
    st.lists(st.lists(st.sampled_from([0, 1]), max_size=2), min_size=8, max_size=8),
)
images = st.one_of(
    st.lists(st.sampled_from([*PICTURES, b"", None]), min_size=8, max_size=8),
    st.lists(st.sampled_from(["x.png", None, "/nowhere.png"]), min_size=8, max_size=8),
    st.lists(st.lists(st.sampled_from(PICTURES), max_size=2), min_size=8, max_size=8),
)


@settings(max_examples=ANY.max_examples // 4)
@given(
    labels=st.tuples(columns, columns),
    images=st.tuples(images, images),
    split=st.sampled_from(["test", "eval", "extra"]),
    damaged=st.booleans(),
)
@pytest.mark.filterwarnings("ignore")
def test_any_parquet_file_is_read_or_refused(labels: tuple, images: tuple, split: str, damaged: bool):
    with tempfile.TemporaryDirectory() as place:
        for name, of_labels, of_images in zip(("train", split), labels, images, strict=True):
            path = Path(place) / f"{name}-00000-of-00001.parquet"
            pq.write_table(pa.table({"image": of_images, "label": of_labels}), path)
        if damaged:
            path.write_bytes(path.read_bytes()[:-9])
        index = look(lambda: open_source(f"hf:{place}"))
        assert index is None or sum(index.counts.values()) <= 16  # two files of eight rows
