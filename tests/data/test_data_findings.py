"""What is wrong with a set that opens is said before training, with part, class and count."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trionet_bench.data.findings import Finding, find_problems
from trionet_bench.data.inspection import inspect_source
from trionet_bench.data.pipeline.splits import make_splits
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8))


def write(root: Path, counts: dict[str, dict[str, int]]) -> Path:
    """PNG files of noise, each another, by part and class; part "" has none around its classes."""
    seed = 0
    for part, classes in counts.items():
        for name, count in classes.items():
            (root / part / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                seed += 1
                noise(seed).save(root / part / name / f"{number}.png")
    return root


def sound(root: Path) -> Path:
    return write(root, {"train": {"a": 20, "b": 20}, "test": {"a": 4, "b": 4}})


def problems(root: Path) -> list[Finding]:
    index = open_source(f"folder:{root}")
    return list(find_problems(index, make_splits(index, 0)))


@pytest.mark.parametrize("uri", ["sklearn:digits", "synthetic:match?n=100"])
def test_sound_arrays_have_none(uri: str):
    index = open_source(uri)
    assert find_problems(index, make_splits(index, 0)) == ()


def test_sound_files_have_none(tmp_path: Path):
    assert problems(sound(tmp_path)) == []


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"": {"a": 1, "b": 1}}, 'the part test has no image; .* 2 images, and class "a" 1'),
        ({"": {"a": 3, "b": 3}}, 'the split search_val of part train has no image: train has 5 .* of class "a"'),
        ({"train": {"a": 20}, "test": {"a": 3}}, 'all 20 train images are of one class, "a"'),
    ],
)
def test_too_few_images_or_classes_are_an_error(counts: dict[str, dict[str, int]], words: str, tmp_path: Path):
    with pytest.raises(DataError, match=words):
        problems(write(tmp_path, counts))


def test_a_rare_class_that_a_split_lacks_is_named(tmp_path: Path):
    write(tmp_path, {"train": {"a": 20, "b": 20, "rare": 1}, "test": {"a": 4, "b": 4, "rare": 1}})
    found = problems(tmp_path)
    assert [(each.severity, each.part, each.classes, each.count) for each in found] == [
        ("warning", "search_val", ("rare",), 1),
        ("warning", "val", ("rare",), 1),
    ]


def test_equal_files_in_two_parts_and_under_two_labels_are_named(tmp_path: Path):
    sound(tmp_path)
    copy = (tmp_path / "train" / "a" / "3.png").read_bytes()
    (tmp_path / "test" / "a" / "copy.png").write_bytes(copy)
    (tmp_path / "train" / "b" / "copy.png").write_bytes(copy)
    leak, labels = problems(tmp_path)
    assert (leak.severity, leak.part, leak.classes, leak.count) == ("warning", "test", ("a",), 1)
    assert "1 images are in train and in test too, equal to the byte, such as test/a/copy.png" in leak.message
    assert (labels.count, "1 images have two labels" in labels.message) == (1, True)


def test_equal_arrays_in_two_parts_are_named(tmp_path: Path):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    labels = np.arange(20) % 2
    np.savez(
        tmp_path / "x.npz", train_images=images, train_labels=labels, test_images=images[:6], test_labels=labels[:6]
    )
    found = find_problems(open_source(f"npz:{tmp_path / 'x.npz'}"))
    assert [(each.part, each.classes, each.count) for each in found] == [("test", ("0", "1"), 6)]


def test_images_of_one_shade_are_counted_and_all_of_train_are_an_error(tmp_path: Path):
    sound(tmp_path)
    Image.new("RGB", (8, 8), (10, 20, 30)).save(tmp_path / "test" / "b" / "0.png")
    (finding,) = problems(tmp_path)
    assert (finding.severity, finding.part, finding.classes, finding.count) == ("warning", "test", ("b",), 1)
    for number, path in enumerate(sorted((tmp_path / "train").rglob("*.png"))):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    assert [each.severity for each in problems(tmp_path)] == ["error", "warning"]


def test_numbers_beside_a_train_part_of_eight_bits_are_an_error(tmp_path: Path):
    sound(tmp_path)
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 60).save(tmp_path / "test" / "a" / "0.png")
    (finding,) = problems(tmp_path)
    assert (finding.severity, finding.part, finding.count) == ("error", "test", 1)
    assert "give the range of their numbers as ?range=LOW,HIGH" in finding.message


def test_numbers_beyond_the_range_are_named(tmp_path: Path):
    for part in ("train", "test"):
        for number in range(20):
            (tmp_path / part / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
            values = np.random.default_rng((part == "test", number)).integers(0, 4096, (8, 8))
            bright = 10000 if (part, number) == ("test", 0) else 0
            Image.fromarray((values + bright).astype(np.uint16)).save(
                tmp_path / part / "ab"[number % 2] / f"{number}.png"
            )
    clipped = [each for each in problems(tmp_path) if "beyond the range 0,4095" in each.message]
    assert [(each.part, each.count) for each in clipped] == [("test", 1)]


def test_arrays_of_another_range_in_test_are_an_error(tmp_path: Path):
    generator = np.random.default_rng(0)
    np.savez(
        tmp_path / "x.npz",
        train_images=generator.integers(0, 256, (20, 8, 8), dtype=np.uint8),
        train_labels=np.arange(20) % 2,
        test_images=generator.integers(0, 2, (6, 8, 8), dtype=np.uint8),
        test_labels=np.arange(6) % 2,
    )
    (finding,) = find_problems(open_source(f"npz:{tmp_path / 'x.npz'}"))
    assert (finding.severity, finding.part) == ("error", "test")


def test_an_inspection_is_sound_where_no_finding_is_an_error(tmp_path: Path):
    sound(tmp_path)
    Image.new("RGB", (8, 8), (10, 20, 30)).save(tmp_path / "test" / "b" / "0.png")
    inspection = inspect_source(f"folder:{tmp_path}")
    assert (inspection.sound, [each.severity for each in inspection.findings]) == (True, ["warning"])
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8)).save(tmp_path / "test" / "a" / "0.png")
    assert not inspect_source(f"folder:{tmp_path}").sound


def png_of_16_bits(pixels: np.ndarray) -> bytes:
    """A PNG file of uint16 colours (H, W, 3), which Pillow reads and does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bit_colours_are_their_high_byte_and_said_so(tmp_path: Path):
    generator = np.random.default_rng(0)
    for part in ("train", "test"):
        for number in range(8):
            path = tmp_path / part / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png_of_16_bits(generator.integers(0, 2**16, (9, 9, 3), np.uint16)))
    first = png_of_16_bits(np.full((9, 9, 3), 0x12FF, np.uint16))
    (tmp_path / "train/a/0.png").write_bytes(first)
    index = open_source(f"folder:{tmp_path}")
    with index.read("train", 0) as image:
        assert set(np.asarray(image).ravel().tolist()) == {0x12}
    said = [finding for finding in find_problems(index) if "16-bit" in finding.message]
    assert [(finding.severity, finding.part, finding.count) for finding in said] == [
        ("warning", "train", 8),
        ("warning", "test", 8),
    ]
    assert "8 of the 8 train images looked at are of 16-bit colours, such as train/a/0.png, " in said[0].message
    assert "the high byte of each is computed on, so that 0 to 65535 become 0 to 255" in said[0].message


@pytest.mark.parametrize("suffix", ["gif", "webp", "tif", "png"])
def test_of_several_pages_or_frames_the_first_is_computed_on_and_said_so(suffix: str, tmp_path: Path):
    generator = np.random.default_rng(0)
    for part in ("train", "test"):
        for number in range(4):
            frames = [Image.fromarray(generator.integers(0, 256, (9, 9, 3), np.uint8)) for _ in range(3)]
            path = tmp_path / part / "ab"[number % 2] / f"{number}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            more = {"save_all": True, "append_images": frames[1:]} if part == "train" else {}
            frames[0].save(path, **more)
    index = open_source(f"folder:{tmp_path}")
    with index.read("train", 0) as image:
        assert getattr(image, "n_frames", 1) == 3
        assert image.tell() == 0
    messages = [finding.message for finding in find_problems(index) if "pages" in finding.message]
    assert messages == [
        f"4 of the 4 train images looked at hold several pages or frames, such as train/a/0.{suffix}, "
        f"train/a/2.{suffix}, train/b/1.{suffix}: the first is computed on"
    ]


def test_the_range_of_numbers_is_said(tmp_path: Path):
    for part in ("train", "test"):
        for number in range(8):
            path = tmp_path / part / "ab"[number % 2] / f"{number}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.arange(81, dtype=np.uint16).reshape(9, 9) * 50 + number).save(path)
    index = open_source(f"folder:{tmp_path}")  # 80 * 50 + 7 needs 12 bits
    assert [finding.message for finding in find_problems(index) if "numbers" in finding.message] == [
        "numbers from 0 to 4095 of 16-bit or float images become black to white, and others are clipped; "
        "?range=LOW,HIGH chooses another range"
    ]
