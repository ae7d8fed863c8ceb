from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fabricated import fabricate

from trionet_bench.analysis.pareto import front, hypervolume, hypervolumes
from trionet_bench.analysis.results import load


def test_front_keeps_what_nothing_beats():
    # cheap and weak, dearer and better, dearer and worse, as cheap as the first but weaker, the second once more
    cost = [1, 2, 3, 1, 2]
    value = [0.5, 0.8, 0.7, 0.4, 0.8]
    assert front(cost, value).tolist() == [True, True, False, False, True]


def test_front_of_a_loss_keeps_the_lowest():
    assert front([1, 2, 3, 1], [0.5, 0.4, 0.45, 0.6], direction=-1).tolist() == [True, True, False, False]


def test_front_against_every_pair():
    generator = np.random.default_rng(0)
    cost, value = generator.integers(0, 9, 60), generator.integers(0, 9, 60)
    beaten = [
        any(c <= cost[i] and v >= value[i] and (c, v) != (cost[i], value[i]) for c, v in zip(cost, value, strict=True))
        for i in range(60)
    ]
    assert front(cost, value).tolist() == [not b for b in beaten]


def test_hypervolume_by_hand():
    # box 10 wide, 1 - 0.1 high; from cost 2 to 5 at 0.5 - 0.1, from 5 to 10 at 0.8 - 0.1
    expected = (3 * 0.4 + 5 * 0.7) / (10 * 0.9)
    assert hypervolume([2, 5, 6], [0.5, 0.8, 0.6], (10, 0.1)) == pytest.approx(expected)


def test_hypervolume_against_counting_points():
    generator = np.random.default_rng(1)
    cost, value = generator.random(8) * 10, generator.random(8)
    at, height = generator.random(200_000) * 10, generator.random(200_000)
    best = np.max(np.where(cost[None] <= at[:, None], value[None], 0), axis=1)
    assert hypervolume(cost, value, (10, 0)) == pytest.approx(np.mean(height < best), abs=0.005)


def test_points_outside_the_box_do_not_count():
    assert hypervolume([11, 1], [0.9, 0.05], (10, 0.1)) == 0


def test_models_that_rank_architectures_have_no_hypervolume(tmp_path: Path):
    results = load([fabricate(tmp_path, datasets=("digits",), models=("conv", "trionet"), side_files=False)])
    beside = replace(results, ranked=pd.DataFrame({"model": ["trionet"]}))
    assert list(hypervolumes(results).model) == ["conv", "trionet"]
    assert list(hypervolumes(beside).model) == ["conv"]
