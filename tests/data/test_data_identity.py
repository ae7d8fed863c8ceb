"""A data set is what its bytes are: no exchange of pictures goes unseen, and no cache changes what is computed on."""

import io
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.pictures import RAW, SIDE, encoded, replace, rewrite, write_set

from trionet_bench.data import content, digest_cache, file_digests
from trionet_bench.data.pipeline.broken_images import find_broken_images
from trionet_bench.data.pipeline.loader import load_images
from trionet_bench.data.pipeline.splits import make_splits
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError
from trionet_bench.execution.session import Session
from trionet_bench.suite.specification import load_suite


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, which also keeps what is small and what was changed a moment ago."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TRIONET_BENCH_CACHE", str(folder))
    monkeypatch.setattr(file_digests, "WORTH_KEEPING", 0)
    monkeypatch.setattr(digest_cache, "SETTLED_NS", -(10**18))
    return folder


def fingerprint(root: Path) -> str:
    return open_source(f"folder:{root}").fingerprint


def loaded(root: Path, cache: Path | None) -> list[np.ndarray]:
    """Pixels of every split as a new run sees them, with images that cannot be decoded left out."""
    index = open_source(f"folder:{root}")
    data = load_images(index, make_splits(index, 0), 8, cache_dir=cache, skip_broken=True)
    return [data.part(name).images.numpy() for name in ("train", "search_val", "val", "test")]


@pytest.mark.parametrize("change", [rewrite, replace])
@pytest.mark.parametrize("suffix", RAW)
def test_a_picture_of_equal_size_and_date_is_seen(
    suffix: str, change: Callable[[Path, bytes], None], tmp_path: Path, cache: Path
):
    first, *_ = write_set(tmp_path, suffix)
    before, size, modified = fingerprint(tmp_path), first.stat().st_size, first.stat().st_mtime_ns
    pixels = loaded(tmp_path, cache)
    change(first, encoded(suffix, 200))
    assert (first.stat().st_size, first.stat().st_mtime_ns) == (size, modified)
    assert fingerprint(tmp_path) != before
    assert any((a != b).any() for a, b in zip(pixels, loaded(tmp_path, cache), strict=True))
    change(first, encoded(suffix, 7))
    assert fingerprint(tmp_path) == before


@pytest.mark.parametrize("suffix", RAW)
def test_two_exchanged_pictures_are_seen(suffix: str, tmp_path: Path):
    first, *_, last = write_set(tmp_path, suffix)
    before = fingerprint(tmp_path)
    contents = first.read_bytes(), last.read_bytes()
    rewrite(first, contents[1])
    rewrite(last, contents[0])
    assert fingerprint(tmp_path) != before


def test_names_places_and_dates_are_no_part_of_the_identity(tmp_path: Path):
    paths = write_set(tmp_path / "here", "bmp")
    before = fingerprint(tmp_path / "here")
    write_set(tmp_path / "there", "bmp")
    assert fingerprint(tmp_path / "there") == before
    for path in paths:
        os.utime(path, (0, 0))
        path.rename(path.with_stem(f"picture-{path.stem}"))
    assert fingerprint(tmp_path / "here") == before


def test_the_order_of_a_table_belongs_to_the_identity(tmp_path: Path):
    rows = [f"{path.relative_to(tmp_path)},{path.parent.name},{path.parts[-3]}" for path in write_set(tmp_path, "bmp")]
    marks = []
    for order in (rows, rows, rows[::-1]):
        (tmp_path / "table.csv").write_text("\n".join(["path,label,split", *order]) + "\n")
        marks.append(open_source(f"csv:{tmp_path / 'table.csv'}").fingerprint)
    assert marks[0] == marks[1] != marks[2]  # rows are numbered, and splits drawn from numbers


def test_a_large_array_file_is_read_to_its_middle(tmp_path: Path):
    images = np.zeros((20, 300, 300, 3), np.uint8)  # 5 MB
    labels = np.arange(20) % 2
    path = tmp_path / "arrays.npz"
    marks = []
    for value in (0, 1):
        images[10, 150, 150] = value
        np.savez(path, train_images=images, train_labels=labels, test_images=images[:4], test_labels=labels[:4])
        marks.append(open_source(f"npz:{path}").fingerprint)
    assert marks[0] != marks[1]


def test_a_table_of_images_that_is_exchanged_is_converted_again(tmp_path: Path):
    import datasets

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})

    def parquet(shade: int) -> bytes:
        buffer = io.BytesIO()
        images = [{"bytes": encoded("bmp", shade + number), "path": None} for number in range(20)]
        columns = {"image": images, "label": [number % 2 for number in range(20)]}
        datasets.Dataset.from_dict(columns, features=features).to_parquet(buffer)
        return buffer.getvalue()

    path = tmp_path / "train.parquet"
    path.write_bytes(parquet(10))
    before = open_source(f"hf:{tmp_path}")
    assert before.read("train", 0).getpixel((5, 5)) // 10 in (1, 2)
    rewrite(path, parquet(100))
    after = open_source(f"hf:{tmp_path}")
    assert after.fingerprint != before.fingerprint
    assert after.read("train", 0).getpixel((5, 5)) >= 100


def test_files_that_are_exchanged_during_a_run_stop_it(tmp_path: Path, cache: Path):
    first, *_ = write_set(tmp_path, "bmp")
    index = open_source(f"folder:{tmp_path}")
    rewrite(first, encoded("bmp", 0))
    with pytest.raises(DataError, match="changed after they had been read to identify the data"):
        load_images(index, make_splits(index, 0), 8, cache_dir=cache)
    assert not list(cache.glob("images-*"))


def test_a_damaged_picture_that_is_repaired_at_equal_size_is_decoded_again(tmp_path: Path, cache: Path):
    first, *_ = write_set(tmp_path, "bmp")
    sound = first.read_bytes()
    rewrite(first, b"XX" + sound[2:])
    index = open_source(f"folder:{tmp_path}")
    assert [image.item for image in find_broken_images(index, cache_dir=cache)] == ["train/a/0.bmp"]
    rewrite(first, sound)
    assert not find_broken_images(open_source(f"folder:{tmp_path}"), cache_dir=cache)


@pytest.mark.parametrize("suffix", RAW)
@settings(max_examples=15, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_cache_changes_what_a_run_sees(
    suffix: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, cache: Path
):
    root = tmp_path_factory.mktemp("set")
    paths = write_set(root, suffix, count=4)
    seen: dict[str, list[bytes]] = {}
    for _ in range(data.draw(st.integers(1, 4), "changes")):
        change = data.draw(st.sampled_from([rewrite, replace]), "way")
        one, other = (data.draw(st.sampled_from(paths), name) for name in ("one", "other"))
        contents = one.read_bytes(), other.read_bytes()
        match data.draw(st.sampled_from(["exchange", "black", "repaint", "damage", "nothing"]), "what"):
            case "exchange":
                change(one, contents[1])
                change(other, contents[0])
            case "black":
                change(one, encoded(suffix, 0))
            case "repaint":
                change(one, encoded(suffix, data.draw(st.integers(1, 255), "shade")))
            case "damage":
                change(one, b"\0\0" + contents[0][2:])
        now = [path.read_bytes() for path in paths]
        assert seen.setdefault(fingerprint(root), now) == now  # a fingerprint has one content
        assert list(seen.values()).count(now) == 1  # and a content one fingerprint
        fresh, kept = loaded(root, None), loaded(root, cache)
        assert all(np.array_equal(a, b) for a, b in zip(fresh, kept, strict=True))


def put(path: Path, content: bytes) -> None:
    """New bytes that neither date nor inode tell, or a new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        rewrite(path, content)
    else:
        path.write_bytes(content)


def write_npz(root: Path, shades: list[int]) -> str:
    images = np.stack([np.full((SIDE, SIDE), shade, np.uint8) for shade in shades])
    labels = np.arange(len(shades)) % 2
    buffer = io.BytesIO()
    np.savez(buffer, train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    put(root / "set.npz", buffer.getvalue())
    return f"npz:{root / 'set.npz'}"


def write_table(root: Path, shades: list[int]) -> str:
    rows = ["path,label,split"]
    for part in ("train", "test"):
        for number, shade in enumerate(shades):
            put(root / part / f"{number}.bmp", encoded("bmp", shade))
            rows.append(f"{part}/{number}.bmp,{'ab'[number % 2]},{part}")
    put(root / "table.csv", "\n".join(rows).encode())
    return f"csv:{root / 'table.csv'}"


def write_parquet(root: Path, shades: list[int]) -> str:
    import datasets

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    images = [{"bytes": encoded("bmp", shade), "path": None} for shade in shades]
    columns = {"image": images, "label": [number % 2 for number in range(len(shades))]}
    for part in ("train", "test"):
        buffer = io.BytesIO()
        datasets.Dataset.from_dict(columns, features=features).to_parquet(buffer)
        put(root / "tables" / f"{part}.parquet", buffer.getvalue())
    return f"hf:{root / 'tables'}"


@pytest.mark.parametrize("write", [write_npz, write_table, write_parquet])
@settings(max_examples=6, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(versions=st.lists(st.lists(st.integers(0, 255), min_size=10, max_size=10), min_size=2, max_size=3))
def test_what_lies_in_the_files_now_is_computed_on(
    write: Callable[[Path, list[int]], str],
    versions: list[list[int]],
    tmp_path_factory: pytest.TempPathFactory,
    cache: Path,
):
    root = tmp_path_factory.mktemp("set")
    seen: dict[str, list[int]] = {}
    for shades in versions:
        index = open_source(write(root, shades))
        assert seen.setdefault(index.fingerprint, shades) == shades
        test = load_images(index, make_splits(index, 0), SIDE, cache_dir=cache).part("test")
        assert test.images[:, 0, SIDE // 2, SIDE // 2].tolist() == shades
    assert sorted(seen.values()) == sorted(list(shades) for shades in set(map(tuple, versions)))


def test_libraries_that_may_round_differently_belong_to_the_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_set(tmp_path / "raw", "bmp")
    for part, count in (("train", 6), ("test", 2)):
        for name in ("a", "b"):
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (8, 8), (9 * number, 0, 0)).save(tmp_path / "photos" / part / name / f"{number}.jpg")
    raw, photos = (open_source(f"folder:{tmp_path / name}") for name in ("raw", "photos"))
    assert raw.decoders == ()
    (decoder,) = photos.decoders
    assert decoder.startswith("JPEG ")
    monkeypatch.setattr("PIL.features.version", lambda feature: "99.0")
    assert fingerprint(tmp_path / "raw") == raw.fingerprint
    assert fingerprint(tmp_path / "photos") != photos.fingerprint


def test_a_second_look_reads_nothing_and_a_change_is_read_alone(tmp_path: Path, cache: Path):
    paths = write_set(tmp_path, "bmp")
    names = [str(path.relative_to(tmp_path)) for path in paths]
    size = paths[0].stat().st_size

    def bytes_read(reread: bool = False) -> int:
        counted = [0]
        stamps = file_digests.stamps_of(tmp_path, names)
        kept = digest_cache.DigestCache(tmp_path, cache)
        file_digests.digest_files(tmp_path, names, stamps, reread, kept, lambda done, total: counted.append(done))
        return counted[-1]

    assert [bytes_read(), bytes_read()] == [size * len(paths), 0]
    rewrite(paths[3], encoded("bmp", 99))
    assert [bytes_read(), bytes_read()] == [size, 0]
    assert [bytes_read(reread=True), bytes_read()] == [size * len(paths), 0]
    (stored,) = cache.rglob("*.npz")
    stored.write_bytes(stored.read_bytes()[:-1])  # cut off: everything is read again
    assert [bytes_read(), bytes_read()] == [size * len(paths), 0]


SUITE = """
schema: 1
name: photos
datasets:
  photos: {source: "folder:set"}
space: resnet-nano
recipe: quick
budgets: [3M]
models:
  conv: {system: standalone, operator: conv}
seeds: [0]
"""


def test_force_reads_what_the_file_system_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first, *_ = write_set(tmp_path / "set", "bmp")
    (tmp_path / "photos.yaml").write_text(SUITE)
    suite = load_suite(tmp_path / "photos.yaml")

    def planned(force: bool) -> str:
        (job,) = Session.open(suite, tmp_path / "results", None, force=force).cells
        return job.cell.data.index.fingerprint

    before = planned(force=False)
    index = open_source(f"folder:{tmp_path / 'set'}")
    assert index.content is not None
    first_told = content.stamps_of(index.content.root, index.content.paths)
    monkeypatch.setattr(content, "stamps_of", lambda root, paths: first_told)
    rewrite(first, encoded("bmp", 200))
    assert planned(force=False) == before
    assert planned(force=True) != before


def test_a_file_that_was_changed_a_moment_ago_is_not_remembered(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(digest_cache, "SETTLED_NS", 2 * 10**9)
    path = tmp_path / "a.bmp"
    path.write_bytes(encoded("bmp", 1))
    changed = path.stat().st_ctime_ns

    def is_read(now: int) -> bool:
        reports: list[int] = []
        file_digests.digest_files(
            tmp_path,
            ["a.bmp"],
            file_digests.stamps_of(tmp_path, ["a.bmp"]),
            cache=digest_cache.DigestCache(tmp_path, cache),
            report=lambda done, total: reports.append(done),
            clock=lambda: now,
        )
        return bool(reports)

    ages = (0, 1, 3, 4)  # seconds
    assert [is_read(changed + age * 10**9) for age in ages] == [True, True, True, False]


def test_a_cache_that_cannot_be_written_is_left_out(tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture):
    write_set(tmp_path, "bmp")
    before = loaded(tmp_path, None)
    shutil.rmtree(cache / "digests")
    (cache / "digests").write_text("no folder")
    (cache / "images").write_text("no folder")
    with caplog.at_level(logging.WARNING):
        assert all(np.array_equal(a, b) for a, b in zip(before, loaded(tmp_path, cache / "images"), strict=True))
    assert any("Files will be read again" in message for message in caplog.messages)
    assert any("Images will be decoded again" in message for message in caplog.messages)


@pytest.mark.parametrize("suffix", ["npy", "json"])
def test_a_damaged_decoded_cache_is_made_again(suffix: str, tmp_path: Path, cache: Path):
    write_set(tmp_path, "bmp")
    before = loaded(tmp_path, cache)
    (stored,) = cache.glob(f"images-*.{suffix}")
    stored.write_bytes(stored.read_bytes()[:40])
    assert all(np.array_equal(a, b) for a, b in zip(before, loaded(tmp_path, cache), strict=True))


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every set is too large to be read in full unasked, and is known by three of its files."""
    monkeypatch.setattr(content, "SAMPLED_ABOVE", 0)
    monkeypatch.setattr(content, "SAMPLE_FILES", 3)


@pytest.mark.usefixtures("large")
def test_a_large_set_is_known_by_a_sample_until_it_was_read_in_full(tmp_path: Path):
    paths = write_set(tmp_path, "bmp")
    uri = f"folder:{tmp_path}"
    sampled = open_source(uri)
    assert (sampled.identity, open_source(uri).fingerprint) == ("sample", sampled.fingerprint)
    in_full = open_source(uri, identity="content")
    assert (in_full.identity, in_full.fingerprint == sampled.fingerprint) == ("content", False)
    assert open_source(uri).fingerprint == in_full.fingerprint
    assert open_source(uri, identity="sample").fingerprint == sampled.fingerprint
    rewrite(paths[5], encoded("bmp", 0))
    assert open_source(uri).fingerprint != in_full.fingerprint


@pytest.mark.usefixtures("large")
def test_a_sample_sees_names_and_sizes_and_its_own_files(tmp_path: Path):
    paths = write_set(tmp_path, "bmp")
    marks = [fingerprint(tmp_path)]
    for path in paths:
        rewrite(path, encoded("bmp", 0))
        marks.append(fingerprint(tmp_path))
    assert len(set(marks)) == 1 + 3  # only the files of the sample are read
    paths[0].rename(paths[0].with_stem("00"))
    marks.append(fingerprint(tmp_path))
    with paths[1].open("ab") as file:
        file.write(b"\0")
    marks.append(fingerprint(tmp_path))
    assert len(set(marks)) == 1 + 3 + 2


@pytest.mark.usefixtures("large")
def test_decoded_images_of_a_sampled_set_follow_every_file(tmp_path: Path, cache: Path):
    for path in write_set(tmp_path, "bmp"):
        rewrite(path, encoded("bmp", 0))
        fresh, kept = loaded(tmp_path, None), loaded(tmp_path, cache)
        assert all(np.array_equal(a, b) for a, b in zip(fresh, kept, strict=True))


def test_sets_without_files_keep_their_fingerprint():
    """Keys of shipped results hang from these."""
    known = {
        "sklearn:digits": "422c0989d28681915cbd3f6c2acd3419b70e440b492ce07937e8a62806441d2e",
        "synthetic:texture?n=100": "3b7bff145cea670a75f18bf64b2891d0c00485b915568719aa9ec40575a652be",
        "synthetic:match?n=100&seed=3": "cf2545cbca615c79f798f33c276efb1822309b4a5c3ab57ae54c6376caafe85b",
    }
    assert {uri: open_source(uri).fingerprint for uri in known} == known
    assert open_source("sklearn:digits").identity == "content"


def test_reasons_that_lie_in_the_machine_are_not_kept(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    write_set(tmp_path, "bmp")
    index = open_source(f"folder:{tmp_path}")

    def too_many(path: Path) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("trionet_bench.data.sources.files.open_image", too_many)
        broken = find_broken_images(index, cache_dir=cache)
    assert {image.reason for image in broken} == {"Too many open files"}
    assert not find_broken_images(index, cache_dir=cache)
    (stored,) = cache.glob("broken-*.json")
    assert json.loads(stored.read_text()) == []
