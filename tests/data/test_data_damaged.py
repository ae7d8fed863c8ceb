"""Damaged, forbidden and strange files: each is decoded or named, and nothing else escapes."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from trionet_bench.data import images
from trionet_bench.data.images import ImageTooLargeError, open_image
from trionet_bench.data.inspection import inspect_source
from trionet_bench.data.pipeline.loader import load_images
from trionet_bench.data.pipeline.splits import make_splits
from trionet_bench.data.sources.catalogue import named_uri
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError, UsageError

FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tif": "TIFF", "pgm": "PPM"}


def encoded(suffix: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, FORMATS[suffix])
    return buffer.getvalue()


def write_set(root: Path, suffix: str) -> list[Path]:
    paths = [
        root / part / name / f"{number}.{suffix}"
        for part, count in (("train", 4), ("test", 1))
        for name in ("a", "b")
        for number in range(count)
    ]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(suffix))
    return paths


@st.composite
def damages(draw: st.DrawFn, content: bytes) -> bytes:
    """The content cut off, with other bytes in some places, or none of it."""
    kind = draw(st.sampled_from(["cut", "bytes", "other"]))
    if kind == "cut":
        return content[: draw(st.integers(0, len(content)))]
    if kind == "other":
        return draw(st.binary(max_size=60))
    damaged = bytearray(content)
    for place in draw(st.lists(st.integers(0, min(len(content), 200) - 1), min_size=1, max_size=8)):
        damaged[place] = draw(st.integers(0, 255))
    return bytes(damaged)


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=25, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_image_is_decoded_or_named(
    suffix: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
):
    root = tmp_path_factory.mktemp("set")
    paths = write_set(root, suffix)
    for path in data.draw(st.lists(st.sampled_from(paths), max_size=3, unique=True), "damaged"):
        path.write_bytes(data.draw(damages(path.read_bytes()), "content"))
    uri = f"folder:{root}"
    named = {image.item for image in inspect_source(uri).broken}
    index = open_source(uri)
    used = load_images(index, make_splits(index, 0), 8, skip_broken=True)
    assert sum(map(len, used.rows.values())) + len(named) == len(paths)
    if named:
        with pytest.raises(DataError, match=f"{len(named)} of {len(paths)} images cannot be decoded"):
            load_images(index, make_splits(index, 0), 8)


def test_a_file_that_may_not_be_read_is_named_and_read_once_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    forbidden, *_ = write_set(tmp_path, "png")
    uri, opened = f"folder:{tmp_path}", os.open

    def refuse(path: object, *arguments: int) -> int:
        if str(path) == str(forbidden):
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments)

    def refuse_image(path: Path) -> Image.Image:
        if path == forbidden:
            raise PermissionError(13, "Permission denied")
        return open_image(path)

    with monkeypatch.context() as patch:  # a test that runs as root may read everything
        patch.setattr(os, "open", refuse)
        patch.setattr("trionet_bench.data.sources.files.open_image", refuse_image)
        before = inspect_source(uri)
    assert [(image.item, image.reason) for image in before.broken] == [("train/a/0.png", "Permission denied")]
    after = inspect_source(uri)
    assert not after.broken
    assert after.index.fingerprint != before.index.fingerprint


def test_an_image_at_the_limit_is_decoded_and_one_above_it_is_named_with_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "a.png"
    Image.new("L", (40, 30)).save(path)
    monkeypatch.setattr(images, "PIXELS_AT_MOST", 1200)
    with open_image(path) as image:
        assert image.size == (40, 30)
    monkeypatch.setattr(images, "PIXELS_AT_MOST", 1199)
    with pytest.raises(ImageTooLargeError, match="it has 40 x 30 pixels"):
        open_image(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)  # Pillow refuses from twice as many on
    with pytest.raises(ImageTooLargeError, match="it has 40 x 30 pixels"):
        open_image(path)
    assert Image.MAX_IMAGE_PIXELS == 500


def test_a_file_of_arrays_that_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "arrays.npz"
    arrays = np.zeros((8, 4, 4, 3), np.uint8), np.arange(8) % 2
    np.savez(path, train_images=arrays[0], train_labels=arrays[1], test_images=arrays[0], test_labels=arrays[1])

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(DataError, match=f"{path} cannot be read: .* Restore the file"):
        open_source(f"npz:{path}")


def test_an_empty_file_and_one_of_no_image_say_so(tmp_path: Path):
    empty, other, *_ = write_set(tmp_path, "png")
    empty.write_bytes(b"")
    other.write_bytes(b"<html>404 Not Found</html>")
    broken = inspect_source(f"folder:{tmp_path}").broken
    assert [image.reason for image in broken] == ["it is empty", "it is no image of a format that is decoded here"]


def test_a_set_of_which_no_image_can_be_read_says_why(tmp_path: Path):
    for path in write_set(tmp_path, "png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"the first is train/a/0\.png: it is empty\. Restore the files"):
        open_source(f"folder:{tmp_path}")


@pytest.mark.parametrize("path", ["a" * 300, "/a" * 3000, "~nosuchuser/x"])
def test_a_path_that_cannot_be_is_a_folder_that_is_not_there(path: str):
    with pytest.raises(DataError, match=r"is not a folder|cannot be read"):
        open_source(named_uri(f"folder:{path}"))


def test_a_path_with_a_null_sign_is_refused():
    with pytest.raises(UsageError, match=r"a\\x00b: a path cannot hold"):
        open_source(named_uri("folder:a\0b"))


def test_a_folder_that_may_not_be_looked_into_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_set(tmp_path, "png")
    looked = os.stat

    def refuse(path: object, **options: bool) -> os.stat_result:
        if str(path) == str(tmp_path):
            raise PermissionError(13, "Permission denied", str(path))
        return looked(path, **options)

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(DataError, match=f"{tmp_path} cannot be read: Permission denied"):
        open_source(named_uri(f"folder:{tmp_path}"))


def test_an_npz_file_whose_arrays_are_cut_off_or_too_large_is_named(tmp_path: Path):
    path = tmp_path / "arrays.npz"
    arrays = np.zeros((8, 4, 4, 3), np.uint8), np.arange(8) % 2
    for shape, words in (((8, 4, 4, 3), "EOF"), ((8, 10**8, 10**8, 3), "EOF|allocate|large|big")):
        np.savez(path, train_labels=arrays[1], test_labels=arrays[1])
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        with zipfile.ZipFile(path, "a") as members:  # the header promises more than there is
            members.writestr("train_images.npy", header.getvalue())
            members.writestr("test_images.npy", header.getvalue())
        index = open_source(f"npz:{path}")
        with pytest.raises(DataError, match=f"train_images of {path} cannot be read: .*({words})"):
            index.read("train", 0)


def test_an_npz_file_that_unpacks_to_far_more_than_its_size_is_refused_before_it_is(tmp_path: Path):
    path = tmp_path / "arrays.npz"
    labels = np.arange(64) % 2
    np.savez_compressed(path, train_images=np.zeros((64, 8, 8), np.uint8), train_labels=labels, test_labels=labels)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as members, members.open("test_images.npy", "w") as member:
        for _ in range(2**8 + 1):
            member.write(bytes(2**20))
    assert path.stat().st_size < 2**19
    with pytest.raises(DataError, match=r"arrays\.npz unpacks to 26\d MB, more than 200 times its size"):
        open_source(f"npz:{path}")
