"""Streamed sets, the decoded cache and the number of workers: the same batches, or a named fault."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trionet_bench.data.index import Index
from trionet_bench.data.pipeline import loader
from trionet_bench.data.pipeline.batches import EvalBatches, TrainBatches
from trionet_bench.data.pipeline.broken_images import find_broken_images
from trionet_bench.data.pipeline.image_set import ImageData
from trionet_bench.data.pipeline.loader import load_images
from trionet_bench.data.pipeline.splits import make_splits
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError
from trionet_bench.training.recipe_parts import Augment

ALL = Augment(min_area=0.25, colour_jitter=0.2, randaugment=(2, 9), mixup=0.2, cutmix=1.0, erase=0.25)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Twenty-four photographs of different shapes: smooth colour ramps, so that every crop looks different."""
    root = tmp_path_factory.mktemp("photos")
    for part, count in (("train", 8), ("val", 4)):
        for name in ("a", "b"):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                height, width = 20 + number, 40 - 2 * number
                ramp = np.linspace(0, 255, height * width * 3).reshape(height, width, 3) + 16 * number
                Image.fromarray((ramp % 256).astype(np.uint8)).save(root / part / name / f"{number}.jpg")
    return open_source(f"folder:{root}")


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every set counts as too big for memory."""
    monkeypatch.setattr(loader, "MEMORY_BYTES", 0)


def batches_of(data: ImageData, augment: Augment, **share: int) -> list[torch.Tensor]:
    made = TrainBatches(data.part("train"), augment, data.resolution, batch=5, seed=0, **share)
    return [tensor for pair in made.epoch(2) for tensor in pair]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("augment", [ALL, Augment(crop="pad"), Augment(crop="none", flip=False)])
def test_the_number_of_workers_changes_no_batch(photos: Index, augment: Augment):
    splits = make_splits(photos, 0)
    alone, helped = (load_images(photos, splits, 16, workers=workers) for workers in (0, 2))
    assert not alone.pixels.in_memory
    assert same(batches_of(alone, augment), batches_of(helped, augment))
    assert [images.shape for images, *_ in EvalBatches(helped.part("test"), 6)] == [(6, 3, 16, 16), (2, 3, 16, 16)]


@pytest.mark.usefixtures("streamed")
def test_processes_share_out_a_streamed_batch(photos: Index):
    data = load_images(photos, make_splits(photos, 0), 16)
    undivided = batches_of(data, ALL)
    shares = [batches_of(data, ALL, rank=rank, world=2) for rank in range(2)]
    assert same(undivided, [torch.cat(pair) for pair in zip(*shares, strict=True)])


@pytest.mark.usefixtures("streamed")
def test_a_streamed_image_is_the_middle_of_its_short_side(photos: Index):
    data = load_images(photos, make_splits(photos, 0), 14)  # 14 of 16 pixels are shown
    with photos.read("val", 0) as image:  # 20 x 40 pixels
        square = np.asarray(image.crop((10, 0, 30, 20)).resize((16, 16), Image.Resampling.BILINEAR))
    assert np.array_equal(data.part("test").images[0].permute(1, 2, 0).numpy(), square[1:15, 1:15])


@pytest.mark.usefixtures("streamed")
def test_streamed_evaluation_images_are_decoded_once(photos: Index, tmp_path: Path):
    shutil.copytree(photos.uri.removeprefix("folder:"), tmp_path / "copy")
    copy = open_source(f"folder:{tmp_path / 'copy'}")
    batches = EvalBatches(load_images(copy, make_splits(copy, 0), 16).part("test"), 3)
    first = [images for images, *_ in batches]
    shutil.rmtree(tmp_path / "copy")
    assert same(first, [images for images, *_ in batches])


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_vanishes_during_training_is_named(workers: int, photos: Index, tmp_path: Path):
    shutil.copytree(photos.uri.removeprefix("folder:"), tmp_path / "copy")
    index = open_source(f"folder:{tmp_path / 'copy'}")
    batches = EvalBatches(load_images(index, make_splits(index, 0), 16, workers=workers).part("test"), 3)
    (tmp_path / "copy/val/b/2.jpg").unlink()
    with pytest.raises(DataError) as caught:
        list(batches)
    assert str(caught.value).startswith(f"{index.uri}: val/b/2.jpg could be decoded before and cannot be now: ")
    assert str(caught.value).endswith("Restore the file and start the run again.")
    assert "Traceback" not in str(caught.value)


def test_the_cache_holds_what_decoding_gives_and_is_read_instead(photos: Index, tmp_path: Path):
    splits = make_splits(photos, 0)
    cache = tmp_path / "cache"
    plain, written = load_images(photos, splits, 16), load_images(photos, splits, 16, cache_dir=cache)
    assert same(batches_of(plain, ALL), batches_of(written, ALL))
    (stored,) = cache.glob("*.npy")
    np.save(stored, np.zeros_like(np.load(stored)))
    assert load_images(photos, splits, 16, cache_dir=cache).part("train").images.max() == 0
    assert load_images(photos, splits, 8, cache_dir=cache).part("train").images.max() > 0  # has a file of its own


def test_check_names_each_broken_file_and_remembers_the_answer(tmp_path: Path):
    for part in ("train", "val"):
        (tmp_path / "set" / part / "a").mkdir(parents=True)
        (tmp_path / "set" / part / "b").mkdir()
        for number in range(3):
            for name in ("a", "b"):
                Image.new("RGB", (9, 9)).save(tmp_path / "set" / part / name / f"{number}.png")
    (tmp_path / "set" / "train" / "a" / "1.png").write_bytes(b"no image")
    (tmp_path / "set" / "val" / "a" / "2.png").write_bytes(b"")
    index = open_source(f"folder:{tmp_path / 'set'}")
    broken = find_broken_images(index, cache_dir=tmp_path)
    assert [(entry.part, entry.item) for entry in broken] == [("train", "train/a/1.png"), ("val", "val/a/2.png")]
    Image.new("RGB", (9, 9)).save(tmp_path / "set" / "val" / "a" / "2.png")  # mended
    assert find_broken_images(index, cache_dir=tmp_path) == broken  # of what the index was made from
    assert find_broken_images(open_source(index.uri), cache_dir=tmp_path) == broken[:1]
    with pytest.raises(DataError, match="were changed after they had been read"):
        find_broken_images(index)


@pytest.mark.usefixtures("streamed")
def test_a_broken_file_stops_a_streamed_set_before_training(tmp_path: Path):
    for part in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(5):
                Image.new("RGB", (9, 9)).save(tmp_path / part / name / f"{number}.png")
    (tmp_path / "train" / "a" / "4.png").write_bytes(b"no image")
    index = open_source(f"folder:{tmp_path}")
    with pytest.raises(DataError, match=r"1 of 20 images cannot be decoded: train/a/4\.png"):
        load_images(index, make_splits(index, 0), 8)
    data = load_images(index, make_splits(index, 0), 8, skip_broken=True)
    assert data.skipped == 1
    assert sum(map(len, data.rows.values())) == 19
