"""Splits: disjoint, complete, stratified, and the same for the same seed."""

import numpy as np
import pytest

from trionet_bench.data.holdout import stratified
from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.splits import NAMES, make_splits
from trionet_bench.data.sources.arrays import ArrayReader
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError


def index_with(**labels: list[int]) -> Index:
    arrays = {part: np.array(values) for part, values in labels.items()}
    return Index("test:x", "x", ("a", "b"), 1, 2, arrays, ArrayReader({}.__getitem__, "test:x", {}), fingerprint="f")


def test_every_train_image_is_in_exactly_one_split():
    index = open_source("sklearn:digits")
    splits = make_splits(index, seed=3)
    assert splits.counts == {"train": 1149, "search_val": 144, "val": 144, "test": 360}  # a tenth of 1437, twice
    of_train = np.concatenate([splits[name].by_part["train"] for name in NAMES if "train" in splits[name].by_part])
    assert np.array_equal(np.sort(of_train), np.arange(1437))
    for name in ("search_val", "val"):
        per_class = np.bincount(splits[name].labels(index))
        assert set(per_class) <= {13, 14, 15}


def test_splits_depend_on_the_seed_and_nothing_else():
    index = open_source("sklearn:digits")
    assert make_splits(index, 0).hash == make_splits(index, 0).hash
    assert make_splits(index, 0).hash != make_splits(index, 1).hash
    for name in ("search_val", "val"):
        assert make_splits(index, 0)[name].places != make_splits(index, 1)[name].places
    assert make_splits(index, 0).test.places == make_splits(index, 1).test.places


def test_official_val_beside_test_stays_val():
    splits = make_splits(index_with(train=[0, 1] * 10, val=[0, 1], test=[1, 0, 1]), 0)
    assert ([*splits.val.by_part], splits.counts) == (["val"], {"train": 18, "search_val": 2, "val": 2, "test": 3})


def test_val_without_test_is_tested_on():
    splits = make_splits(index_with(train=[0, 1] * 10, val=[0, 1]), 0)
    assert ([*splits.test.by_part], [*splits.val.by_part]) == (["val"], ["train"])
    assert splits.counts == {"train": 16, "search_val": 2, "val": 2, "test": 2}


def test_stratified_takes_largest_remainders_and_never_a_whole_class():
    labels = np.array([0] * 10 + [1] * 5 + [2])
    # 6 of 16: exact shares 3.75, 1.875, 0.375; floors 3, 1, 0; the two left go to the classes 1 and 0
    chosen = stratified(labels, 6, np.random.default_rng(0))
    assert np.bincount(labels[chosen], minlength=3).tolist() == [4, 2, 0]
    # 14 of 16: shares 8.75, 4.375, 0.875; the only image of class 2 stays, and one of each class however many are asked
    for count in (14, 16):
        chosen = stratified(labels, count, np.random.default_rng(0))
        assert np.bincount(labels[chosen], minlength=3).tolist() == [9, 4, 0]


def test_fewer_training_images_are_drawn_by_class_and_the_test_images_stay():
    index = index_with(train=[0] * 60 + [1] * 40, test=[0, 1])
    splits = make_splits(index, 0, train_images=50)
    assert splits.counts == {"train": 40, "search_val": 5, "val": 5, "test": 2}
    of_train = np.concatenate([splits[name].by_part["train"] for name in ("train", "search_val", "val")])
    assert len(np.unique(of_train)) == 50
    assert np.bincount(index.labels["train"][of_train]).tolist() == [30, 20]
    assert make_splits(index, 0, train_images=100).hash == make_splits(index, 0).hash


def test_too_few_training_images_for_all_classes_are_refused():
    with pytest.raises(DataError, match="2 training images leave one of 2 classes without any"):
        make_splits(index_with(train=[0] * 60 + [1], test=[0, 1]), 0, train_images=2)
