"""Batches: what they hold, and that they depend on (seed, epoch, step) alone."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from trionet_bench.data.pipeline import loader
from trionet_bench.data.pipeline.batches import EvalBatches, TrainBatches
from trionet_bench.data.pipeline.evaluation_view import evaluation_transforms
from trionet_bench.data.pipeline.image_set import ImageData, ImageSet
from trionet_bench.data.pipeline.loader import load_images
from trionet_bench.data.pipeline.memory import MemoryImages
from trionet_bench.data.pipeline.splits import make_splits
from trionet_bench.data.pipeline.transforms import BatchRequest, Mixing, in_groups, torchvision_seed
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError
from trionet_bench.training.recipe_parts import Augment

PLAIN = Augment(crop="none", flip=False)
ALL = Augment(min_area=0.25, colour_jitter=0.2, randaugment=(2, 9), mixup=0.2, cutmix=1.0, erase=0.25)


@pytest.fixture(scope="module")
def digits() -> ImageData:
    index = open_source("sklearn:digits")
    return load_images(index, make_splits(index, 0), resolution=16)


def numbered(count: int, channels: int = 1, side: int = 8, flip_safe: bool = True) -> ImageSet:
    """Images that are constant, each with its number as value."""
    images = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(-1, channels, side, side).contiguous()
    labels = torch.arange(count) % 3
    rows = {"train": np.arange(count)}
    mean, std = (0.0,) * channels, (1 / 255,) * channels
    return ImageData(MemoryImages(images), "array", labels, rows, mean, std, ("a", "b", "c"), flip_safe).part("train")


def test_digits_are_resized_and_normalised_by_the_train_split(digits: ImageData):
    train = digits.part("train")
    assert (train.images.shape, train.images.dtype) == ((1149, 1, 16, 16), torch.uint8)
    pixels = train.images.double() / 255
    assert digits.mean == pytest.approx([pixels.mean().item()])
    assert digits.std == pytest.approx([pixels.std(correction=0).item()])
    everything = torch.cat([images for images, _, _ in EvalBatches(train, 500)])
    assert everything.mean().item() == pytest.approx(0, abs=1e-5)
    assert everything.std().item() == pytest.approx(1, abs=1e-3)


def test_parts_join_in_order(digits: ImageData):
    both = digits.parts("train", "search_val")
    assert len(both) == 1149 + 144
    assert torch.equal(both.labels[1149:], digits.part("search_val").labels)


def test_an_epoch_shows_each_image_once_and_drops_the_rest_of_the_last_batch():
    batches = TrainBatches(numbered(10), PLAIN, 8, batch=4, seed=0)
    seen = torch.cat([images[:, 0, 0, 0] for images, _ in batches.epoch(0)])
    assert len(batches) == 2
    assert len(set(seen.tolist())) == 8
    assert not torch.equal(seen, torch.cat([images[:, 0, 0, 0] for images, _ in batches.epoch(1)]))


def test_a_set_smaller_than_a_batch_is_one_batch():
    batches = TrainBatches(numbered(3), PLAIN, 8, batch=4, seed=0)
    assert [len(images) for images, _ in batches.epoch(0)] == [3]


@pytest.mark.parametrize("augment", [Augment(crop="pad"), ALL])
def test_a_step_depends_on_seed_and_epoch_not_on_what_ran_before(digits: ImageData, augment: Augment):
    def steps(seed: int, epoch: int) -> list[torch.Tensor]:
        batches = TrainBatches(digits.part("val"), augment, 16, batch=48, seed=seed)
        return [tensor for pair in batches.epoch(epoch) for tensor in pair]

    first = steps(0, 1)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert all(torch.equal(a, b) for a, b in zip(first, steps(0, 1), strict=True))
    assert torch.equal(torch.get_rng_state(), state)  # the network's own randomness is left alone
    assert not torch.equal(first[0], steps(1, 1)[0])
    assert not torch.equal(first[0], steps(0, 2)[0])


def test_processes_share_out_the_batch_of_one_process(digits: ImageData):
    undivided = list(TrainBatches(digits.part("val"), ALL, 16, batch=50, seed=0).epoch(0))
    shares = [list(TrainBatches(digits.part("val"), ALL, 16, 50, 0, rank=rank, world=3).epoch(0)) for rank in range(3)]
    for step, (images, targets) in enumerate(undivided):
        assert torch.equal(images, torch.cat([share[step][0] for share in shares]))
        assert torch.equal(targets, torch.cat([share[step][1] for share in shares]))


def test_mixing_gives_shares_of_classes_that_sum_to_one(digits: ImageData):
    images, targets = next(TrainBatches(digits.part("val"), ALL, 16, batch=48, seed=0).epoch(0))
    assert images.dtype == targets.dtype == torch.float32
    assert targets.shape == (48, 10)
    assert torch.allclose(targets.sum(1), torch.ones(48))


def test_an_epoch_can_begin_at_a_later_step(digits: ImageData):
    batches = TrainBatches(digits.part("val"), Augment(), 16, batch=20, seed=0)
    whole, rest = list(batches.epoch(1)), list(batches.epoch(1, 2))
    assert len(rest) == len(whole) - 2 > 0
    for one, other in zip(whole[2:], rest, strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


def test_the_only_image_of_a_set_is_augmented_anew_in_each_epoch(digits: ImageData):
    alone = ImageSet(digits, digits.part("train").rows[:1])
    batches = TrainBatches(alone, Augment(flip=False), 16, batch=1, seed=0)
    views = [images for epoch in range(3) for images, _ in batches.epoch(epoch)]
    assert not torch.equal(views[0], views[1])
    assert not torch.equal(views[1], views[2])


def test_which_images_are_erased_does_not_follow_from_how_they_are_cropped():
    request = BatchRequest(np.arange(400), seed=7, positions=np.arange(400))
    images, labels = Mixing(Augment(erase=0.5), 10).of_batch(torch.ones(400, 1, 8, 8), torch.zeros(400), request)
    erased = np.array([bool((image == 0).any()) for image in images])
    areas = np.array([torch.rand((), generator=torch.Generator().manual_seed(s)).item() for s in request.image_seeds()])
    assert 0.4 < erased.mean() < 0.6
    assert 0.4 < (erased == (areas < 0.5)).mean() < 0.6  # all of them, were it the draw that sets the area
    assert len(labels) == 400


def test_an_erased_rectangle_takes_the_mean_colour_in_some_images():
    images = numbered(200, side=16)
    batch, _ = next(TrainBatches(images, Augment(crop="none", flip=False, erase=0.5), 16, batch=200, seed=0).epoch(0))
    shares = []
    for image in batch[batch.amax(dim=(1, 2, 3)) > 0, 0]:
        erased = image == 0
        rows, columns = erased.any(1).sum(), erased.any(0).sum()
        assert erased.sum() == rows * columns  # a rectangle
        shares.append(erased.float().mean().item())
    assert 0.4 < np.mean([share > 0 for share in shares]) < 0.6
    assert max(shares) < 0.36  # a third, and rounding to pixels


def test_images_of_a_batch_are_recoloured_differently_each_with_every_operation():
    image = torch.randint(256, (3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = image.expand(64, -1, -1, -1)
    seen = set()
    for seed in range(20):
        with torchvision_seed(seed):
            views = in_groups(images, v2.RandAugment(1, 9))
        assert len(views.flatten(1).unique(dim=0)) > 2  # eight groups of eight
        seen.add(bytes(views[0].numpy()))
    assert len(seen) > 5  # of the first image, over the steps


def test_a_padded_crop_shifts_by_up_to_an_eighth_and_leaves_black():
    images = numbered(250)
    images.data.pixels.images[:] = torch.arange(8, dtype=torch.uint8) + 1  # columns 1 to 8; shifts of -1, 0, 1
    batch, _ = next(TrainBatches(images, Augment(crop="pad", flip=False), 8, batch=250, seed=0).epoch(0))
    rows = {tuple(image[0, 4].int().tolist()) for image in batch}
    assert rows == {(1, 2, 3, 4, 5, 6, 7, 8), (0, 1, 2, 3, 4, 5, 6, 7), (2, 3, 4, 5, 6, 7, 8, 0)}
    assert {int(image[0, 0].max()) for image in batch} == {0, 7, 8}  # the top row may be black


def test_a_resized_crop_shows_a_part_of_the_least_area_or_more():
    images = numbered(250, side=32)
    images.data.pixels.images[:] = torch.arange(0, 256, 8, dtype=torch.uint8)  # brightness grows by 8 a column
    batch, _ = next(TrainBatches(images, Augment(min_area=0.25, flip=False), 32, batch=250, seed=0).epoch(0))
    widths = (batch[:, 0, 0, -1] - batch[:, 0, 0, 0]) / 8 / 31  # share of the width that is seen
    assert widths.min() >= (0.25 * 3 / 4) ** 0.5 - 0.03  # the narrowest crop of a quarter
    assert widths.max() > 0.95
    assert (batch.diff(dim=3) >= 0).all()


def test_flips_happen_only_where_a_mirrored_image_means_the_same():
    def leftmost(flip_safe: bool) -> set[float]:
        images = numbered(8, flip_safe=flip_safe)
        images.data.pixels.images[:] = torch.arange(8, dtype=torch.uint8)  # columns 0 to 7
        batch, _ = next(TrainBatches(images, Augment(crop="none"), 8, batch=8, seed=0).epoch(0))
        return set(batch[:, 0, 0, 0].tolist())

    assert leftmost(flip_safe=True) == {0.0, 7.0}
    assert leftmost(flip_safe=False) == {0.0}


def test_every_image_is_evaluated_once_whatever_the_number_of_processes():
    images = numbered(11)
    for world in (1, 2, 3):
        seen = [batch[2] for rank in range(world) for batch in EvalBatches(images, 4, rank=rank, world=world)]
        assert sorted(torch.cat(seen).tolist()) == list(range(11))
    pixels, labels, indices = next(iter(EvalBatches(images, 4, rank=1, world=2)))
    assert indices.tolist() == [1, 3, 5, 7]
    assert pixels[:, 0, 0, 0].tolist() == [1, 3, 5, 7]
    assert labels.tolist() == [1, 0, 2, 1]


class CountedImages(MemoryImages):
    """Images that count how often batches are made of them."""

    passes = 0

    def unaugmented(self, batches: Iterable[np.ndarray], device: torch.device) -> Iterator[torch.Tensor]:
        self.passes += 1
        return super().unaugmented(batches, device)


def test_evaluation_batches_are_kept_from_the_second_pass_on_where_they_fit(monkeypatch: pytest.MonkeyPatch):
    sets = numbered(6), numbered(6)
    pixels = [CountedImages(images.data.pixels.images) for images in sets]
    fitting, large = (
        EvalBatches(ImageSet(replace(images.data, pixels=counted), images.rows), 4)
        for images, counted in zip(sets, pixels, strict=True)
    )
    first = [images.clone() for images, *_ in fitting]
    again, third = [images for images, *_ in fitting], [images for images, *_ in fitting]
    assert pixels[0].passes == 2  # nothing is kept of a single pass, the usual case
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert [images.data_ptr() for images in again] == [images.data_ptr() for images in third]
    values = sum(images.numel() for images in first)
    monkeypatch.setattr("trionet_bench.data.pipeline.batches.KEPT_BYTES", 4 * values - 1)
    assert list(map(len, map(list, (large, large, large)))) == [2, 2, 2]
    assert pixels[1].passes == 3


def test_a_broken_file_stops_loading_by_name_or_is_skipped_and_counted(tmp_path: Path):
    for part in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(5):
                Image.effect_noise((12, 9), 50).save(tmp_path / part / name / f"{number}.jpg")
    intact = (tmp_path / "train" / "a" / "2.jpg").read_bytes()
    (tmp_path / "train" / "a" / "2.jpg").write_bytes(intact[:-20])
    index = open_source(f"folder:{tmp_path}")
    splits = make_splits(index, 0)
    with pytest.raises(DataError, match=r"1 of 20 images cannot be decoded: train/a/2.jpg \(.*truncated"):
        load_images(index, splits, 8)
    data = load_images(index, splits, 8, skip_broken=True)
    assert data.skipped == 1
    assert sum(len(rows) for rows in data.rows.values()) == 19


def test_training_at_another_resolution_than_loaded_is_a_mistake():
    with pytest.raises(ValueError, match="loaded at 8 pixels, not 16"):
        TrainBatches(numbered(4), ALL, 16, batch=2, seed=0)


@pytest.mark.parametrize("view", ["array", "whole", "middle"])
def test_any_image_is_seen_as_those_of_evaluation_to_the_bit(
    view: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if view == "array":
        index = open_source("sklearn:digits")
    else:
        photographs(tmp_path)
        index = open_source(f"folder:{tmp_path}")
    if view == "middle":
        monkeypatch.setattr(loader, "MEMORY_BYTES", 0)
    data = load_images(index, make_splits(index, 0), resolution=14)
    assert data.view == view
    seen = evaluation_transforms(data.view, 14, data.channels, data.mean, data.std)
    for images, _, positions in EvalBatches(data.part("test"), 40):
        for image, position in zip(images, positions.tolist(), strict=True):
            with index.read("test", position) as picture:
                assert torch.equal(seen(picture), image)
        break


def photographs(folder: Path) -> None:
    """Pictures of two classes in several formats, sizes and modes."""
    generator = np.random.default_rng(0)
    for part in ("train", "test"):
        for number in range(12):
            path = folder / part / "ab"[number % 2] / f"{number}.{('jpg', 'png')[number // 2 % 2]}"
            path.parent.mkdir(parents=True, exist_ok=True)
            small = generator.integers(0, 256, (9, 11, 3)).astype(np.uint8)
            image = Image.fromarray(small).resize((90 + 7 * number, 70 + 11 * number))
            (image.convert("L") if number == 4 else image).save(path)
