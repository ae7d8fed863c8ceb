"""Numbers keep their meaning: one range for a set, from its train part, for every image of it and for new ones."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trionet_bench.data.images import centre_square, to_grey_or_rgb
from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.evaluation_view import EvaluationView
from trionet_bench.data.sources.opening import open_source
from trionet_bench.data.values import Extent, ValueRange, decide_range, extent_of, to_bytes
from trionet_bench.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("low", "high", "integers", "expected"),
    [
        (0, 1, True, (0, 1)),
        (0, 255, True, (0, 255)),  # int32 files of 8-bit values
        (3, 900, True, (0, 1023)),
        (0, 4095, True, (0, 4095)),  # 12 bit in 16
        (0, 65535, True, (0, 65535)),
        (-1024, 3071, True, (-1024, 3071)),  # Hounsfield units
        (0, 70000, True, (0, 70000)),
        (0.0, 1.0, False, (0, 1)),
        (-1.0, 1.0, False, (-1, 1)),
        (0.0, 200.0, False, (0, 255)),
        (-7.5, 300.0, False, (-7.5, 300)),
        (5000.0, 5000.0, False, (5000, 5001)),
    ],
)
def test_the_range_of_a_set(low: float, high: float, integers: bool, expected: tuple[float, float]):
    assert decide_range(Extent(low, high, integers)) == expected


def test_a_range_becomes_0_to_255_by_hand():
    values = np.array([-1.0, 0.0, 0.5, 1.0, 9.0, np.nan, np.inf, -np.inf])
    # (v + 1) * 127.5, rounded to even: 0, 127.5 -> 128, 191.25, 255
    assert to_bytes(values, ValueRange(-1, 1)).tolist() == [0, 128, 191, 255, 255, 0, 255, 0]
    assert to_bytes(np.array([0, 2048, 4095], np.uint16), ValueRange(0, 4095)).tolist() == [0, 128, 255]


def test_a_large_image_is_scaled_as_a_small_one():
    values = np.random.default_rng(0).normal(size=(3, 500_000)).astype(np.float32)  # more than are scaled at a time
    expected = np.clip(np.rint((values.astype(np.float64) + 2) * (255 / 4)), 0, 255)
    assert np.array_equal(to_bytes(values, ValueRange(-2, 2)), expected)


def test_what_is_not_finite_has_no_part_in_the_range():
    assert extent_of([np.array([0.0, np.nan, 2.0]), np.array([np.inf])]) == (0, 2, False)
    assert extent_of([np.array([np.nan])]) is None


def write(root: Path, values: dict[str, list[np.ndarray]]) -> None:
    """Class folders a and b of TIFF files for each part; even numbers are of class a."""
    for part, arrays in values.items():
        for number, array in enumerate(arrays):
            folder = root / part / "ab"[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / f"{number}.tif")


def shown(index: Index, part: str, position: int) -> int:
    with index.read(part, position) as image:
        return int(np.asarray(to_grey_or_rgb(image, 1))[0, 0])


@pytest.mark.parametrize(
    ("dtype", "train", "test", "expected", "value_range"),
    [
        (np.int32, (0, 255), 100, 100, (0, 255)),
        (np.uint16, (0, 4000), 2048, 128, (0, 4095)),
        (np.float32, (-1, 1), 0, 128, (-1, 1)),
        (np.float32, (0, 255), 1, 1, (0, 255)),  # a dark picture stays dark, though none of its values is above 1
    ],
)
def test_an_image_is_scaled_by_the_range_of_the_set(
    dtype: type, train: tuple[int, int], test: int, expected: int, value_range: tuple[int, int], tmp_path: Path
):
    write(
        tmp_path,
        {
            "train": [np.full((8, 8), train[number % 2], dtype) for number in range(4)],
            "test": [np.full((8, 8), test, dtype)] * 2,
        },
    )
    index = open_source(f"folder:{tmp_path}")
    assert index.value_range == value_range
    assert shown(index, "test", 0) == expected
    assert index.channels == 1


def test_the_range_can_be_given_and_enters_the_fingerprint(tmp_path: Path):
    write(tmp_path, {part: [np.full((8, 8), 100 + n, np.uint16) for n in range(4)] for part in ("train", "test")})
    index = open_source(f"folder:{tmp_path}?range=0,65535")
    assert index.value_range == (0, 65535)
    assert index.fingerprint != open_source(f"folder:{tmp_path}").fingerprint
    for wrong in ("1", "5,5", "9,1", "a,b", "0,inf"):
        with pytest.raises(UsageError, match="give two numbers LOW,HIGH"):
            open_source(f"folder:{tmp_path}?range={wrong}")
    with pytest.raises(UsageError, match="the images are 8-bit"):
        open_source("sklearn:digits?range=0,16")
    write(tmp_path / "bytes", {part: [np.full((8, 8), n, np.uint8) for n in range(4)] for part in ("train", "test")})
    with pytest.raises(UsageError, match="the images are 8-bit"):
        open_source(f"folder:{tmp_path / 'bytes'}?range=0,100")


def test_eight_bit_sets_have_no_range(tmp_path: Path):
    write(tmp_path, {part: [np.full((8, 8), 100 + n, np.uint8) for n in range(4)] for part in ("train", "test")})
    assert open_source(f"folder:{tmp_path}").value_range is None
    assert open_source("sklearn:digits").value_range is None


def test_a_new_image_is_scaled_as_those_of_the_set():
    numbers = Image.fromarray(np.full((8, 8), 2048, np.uint16))
    for view in ("array", "whole", "middle"):
        assert EvaluationView(view, 4, 1, ValueRange(0, 4095))(numbers).unique().tolist() == [128]
        # an 8-bit picture is none of numbers
        assert EvaluationView(view, 4, 1, ValueRange(0, 4095))(Image.new("L", (8, 8), 7)).unique().tolist() == [7]


def test_floats_without_a_range_are_refused():
    with pytest.raises(ValueError, match=r"give it as \?range=LOW,HIGH"):
        centre_square(Image.new("F", (8, 8), 0.5), 4, 1)


def arrays(part: str, count: int, dtype: type = np.uint8, high: float = 255, shape: tuple[int, ...] = (8, 8)):
    images = np.random.default_rng(count).random((count, *shape)) * high
    return {f"{part}_images": images.astype(dtype), f"{part}_labels": np.arange(count) % 2}


def npz(tmp_path: Path, *parts: dict[str, np.ndarray], options: str = "") -> Index:
    np.savez(tmp_path / "x.npz", **{name: array for part in parts for name, array in part.items()})
    return open_source(f"npz:x.npz{options}", base=tmp_path)


@pytest.mark.parametrize(
    ("dtype", "high", "value_range"),
    [(np.float32, 1, (0, 1)), (np.float64, 255, (0, 255)), (np.uint16, 4000, (0, 4095)), (np.int64, 255, (0, 255))],
)
def test_arrays_of_numbers_become_eight_bit_by_one_range(
    dtype: type, high: float, value_range: tuple[float, float], tmp_path: Path
):
    train, test = arrays("train", 12, dtype, high), arrays("test", 6, dtype, high)
    index = npz(tmp_path, train, test)
    assert index.value_range == value_range
    expected = np.rint(test["test_images"].astype(np.float64) * 255 / value_range[1])
    assert np.array_equal(index.arrays("test")[..., 0], expected)


def test_grey_arrays_with_a_channel_and_labels_in_a_column_work(tmp_path: Path):
    train, test = arrays("train", 12, shape=(8, 8, 1)), arrays("test", 6)
    train["train_labels"] = train["train_labels"][:, None].astype(np.float32)
    index = npz(tmp_path, train, test)
    assert (index.channels, index.classes, index.counts) == (1, ("0", "1"), {"train": 12, "test": 6})


def test_names_may_be_labels(tmp_path: Path):
    train, test = arrays("train", 12), arrays("test", 6)
    for part, content in (("train", train), ("test", test)):
        content[f"{part}_labels"] = np.array(["crow", "wren"])[content[f"{part}_labels"]]
    assert npz(tmp_path, train, test).classes == ("crow", "wren")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"train_labels": np.arange(8) % 2}, "train_labels are 8; needed is one label for each image"),
        ({"test_labels": np.arange(4) % 2}, "test_labels are 4"),
        ({"test_images": np.zeros((6, 8, 9), np.uint8)}, r"shape \(6, 8, 9\), and those of train of \(12, 8, 8\)"),
        ({"test_images": np.zeros((6, 8, 8, 3), np.uint8)}, "same size and channels"),
        ({"test_images": np.zeros((6, 8, 8), np.float32)}, "test_images .* are float32 .* train are uint8"),
        ({"test_images": np.zeros((6, 3, 8, 8), np.uint8)}, r"needed are numbers of \(N, H, W\)"),
        ({"test_images": np.zeros((6, 8, 8), "datetime64[s]")}, "needed are numbers"),
        ({"train_labels": np.eye(2)[np.arange(12) % 2]}, "one-hot"),
        ({"test_labels": np.ones((6, 2), np.int64)}, "several for an image .multi-label."),
        ({"test_labels": np.full(6, -1)}, "6 of 6 are -1, which stands for no label"),
        ({"test_labels": np.array([0, 1, 0.5, 0, 1, 0])}, "row 2 is 0.5"),
        ({"test_labels": np.array(["0", None] * 3, object)}, "test_labels of .* cannot be read"),
        ({"classes": np.array(["a", "b\x1b[1m"])}, "holds control characters"),
        ({"val_images": np.zeros((1, 8, 8), np.uint8)}, "has val_images without the other of the two"),
    ],
)
def test_every_part_of_an_npz_file_is_checked(changed: dict[str, np.ndarray], words: str, tmp_path: Path):
    with pytest.raises(DataError, match=words):
        npz(tmp_path, arrays("train", 12), arrays("test", 6), changed)


def test_parts_of_another_range_are_refused_unless_it_is_given(tmp_path: Path):
    parts = arrays("train", 12, np.float32, 1), arrays("test", 6, np.float32, 255)
    with pytest.raises(DataError, match=r"test_images .* range from .* Save both in one range, or .*\?range="):
        npz(tmp_path, *parts)
    assert npz(tmp_path, *parts, options="?range=0,255").value_range == (0, 255)
    nearly = (
        arrays("train", 12, np.float32, 300),
        arrays("test", 6, np.float32, 310),
    )
    assert npz(tmp_path, *nearly).value_range.high < 300


def test_an_array_of_no_part_is_counted(tmp_path: Path):
    index = npz(tmp_path, arrays("train", 12), arrays("test", 6), {"masks": np.zeros(3)})
    assert [(each.reason, each.count, each.example) for each in index.left_out] == [("array of no part", 1, "masks")]


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x93NUMPY\x01\x00v\x00{}"])
def test_a_file_that_is_no_archive_of_arrays_is_refused(content: bytes, tmp_path: Path):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        open_source("npz:x.npz", base=tmp_path)
