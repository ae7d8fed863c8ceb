"""Generated sets hold what they say, so that the placement which they need is known."""

import numpy as np
import pytest

from trionet_bench.data.sources.generated.cued import BRIGHT, cued
from trionet_bench.data.sources.generated.gratings import PATCH, gratings
from trionet_bench.data.sources.opening import open_source
from trionet_bench.data.sources.synthetic import SETS
from trionet_bench.spaces.operators import OPERATORS
from trionet_bench.spaces.resnet import TRIO


@pytest.mark.parametrize("name", SETS)
def test_sets_open_are_balanced_and_differ_with_the_seed(name: str):
    first, same, other = (open_source(f"synthetic:{name}?n=100&size=24&seed={seed}") for seed in (0, 0, 1))
    images = first.reader.arrays("train")
    assert images.shape == (80, 24, 24, 1)
    counts = np.bincount(first.labels["train"])
    assert len(counts) == len(first.classes)
    assert set(counts) == {80 // len(first.classes)}
    assert np.array_equal(images, same.reader.arrays("train"))
    assert first.fingerprint == same.fingerprint != other.fingerprint
    assert not np.array_equal(images, other.reader.arrays("train"))


def directions(images: np.ndarray) -> np.ndarray:
    """Of the strongest frequency in the left and the right half of each image, in eighths of a turn: (N, 2)."""
    halves = np.split(images - 128, 2, axis=2)
    found = []
    for half in halves:
        power = np.abs(np.fft.fft2(half, (64, 64)))
        down, right = np.unravel_index(power.reshape(len(images), -1).argmax(1), (64, 64))
        down, right = (np.where(at < 32, at, at - 64) for at in (down, right))
        found.append(np.round(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4)
    return np.stack(found, axis=1)


def test_gratings_have_equal_directions_where_the_label_says_so():
    labels = np.arange(60) % 2
    images = gratings(labels, 32, np.random.default_rng(0))
    left, right = directions(images).T
    assert np.array_equal(left == right, labels == 1)
    assert set(left) == set(right) == set(range(4))
    # the patches are further apart than the largest window on the finest map
    columns = np.flatnonzero((images != 128).any(axis=(0, 1)))
    gap = np.flatnonzero(np.diff(columns) > 1)
    assert columns[gap[0] + 1] - columns[gap[0]] > 8
    assert len(columns) == 2 * PATCH


def test_labels_of_noise_say_nothing_of_the_images():
    noise, texture = (open_source(f"synthetic:{name}?n=4000&size=24") for name in ("noise", "texture"))
    assert noise.classes == texture.classes
    # the direction by the energy of differences along and across: of the images of texture it tells the class
    for index, least, most in ((texture, 0.9, 1.0), (noise, 0.2, 0.3)):
        images = index.reader.arrays("train")[..., 0].astype(float)
        axes = np.stack(
            [np.square(np.diff(images, axis=2)).mean((1, 2)), np.square(np.diff(images, axis=1)).mean((1, 2))]
        )
        upright = axes[0] > 2 * axes[1]
        share = np.mean(index.labels["train"][upright] == 0)
        assert least <= share <= most


def test_known_placements_name_operators_of_the_space_and_say_why():
    known = [placement for each in SETS.values() for placement in each.known]
    assert {placement.operator for placement in known} <= set(TRIO)
    assert all(placement.operator in OPERATORS and len(placement.why.split()) > 5 for placement in known)
    assert not SETS["noise"].known


def test_the_bar_of_cued_says_which_patch_has_the_direction_of_the_label():
    labels = np.arange(200) % 4
    images = cued(labels, 32, np.random.default_rng(0))
    bar = images == BRIGHT
    upright = bar.any(axis=2).sum(axis=1) > bar.any(axis=1).sum(axis=1)  # spans more rows than columns
    assert np.array_equal(bar.sum(axis=(1, 2)), np.full(200, 10))
    left, right = directions(np.where(bar, 128, images)).T
    assert 60 < upright.sum() < 140
    assert np.array_equal(np.where(upright, left, right), labels)
    the_other = np.where(upright, right, left)
    assert 0.1 < np.mean(the_other == labels) < 0.4  # the other patch says nothing of the class
