"""What a study can decide before it is run: against tables of t, and against simulated studies."""

import json
from pathlib import Path

import numpy as np
import pytest
from fabricated import fabricate
from scipy import stats

from trionet_bench.analysis.planning import foreseen, known_sd


def test_half_width_by_hand():
    found = foreseen(seeds=5, models=5)
    assert found is not None
    assert found.df == 16
    assert found.half_width == pytest.approx(2.120 * (2 / 5) ** 0.5, abs=1e-3)  # t of 16 degrees, 97.5 %: 2.120
    reached = found.detectable / (2 / 5) ** 0.5  # in standard errors; beyond 2.120 in four of five studies
    assert stats.nct(16, reached).sf(2.120) == pytest.approx(0.8, abs=1e-3)
    assert foreseen(seeds=1, models=5) is None
    assert foreseen(seeds=5, models=1) is None


def test_a_difference_of_that_size_is_found_in_four_of_five_studies():
    found = foreseen(seeds=5, models=4, datasets=2)
    assert found is not None
    values = np.random.default_rng(0).normal(size=(4000, 2, 4, 5))  # study, data set, model, seed
    values[:, :, 1] += found.detectable
    means = values.mean(axis=3, keepdims=True)
    left = values - means - values.mean(axis=2, keepdims=True) + values.mean(axis=(2, 3), keepdims=True)
    sd = np.sqrt((left**2).sum(axis=(1, 2, 3)) / found.df)
    difference = (means[:, :, 1] - means[:, :, 0]).mean(axis=(1, 2))
    significant = np.abs(difference) / sd / (2 / 10) ** 0.5 > stats.t.ppf(0.975, found.df)
    assert significant.mean() == pytest.approx(0.8, abs=0.03)


def test_the_noise_of_earlier_records_is_in_points(tmp_path: Path):
    folder = fabricate(tmp_path, models=("conv", "local"), datasets=("digits",), budgets=(4_000_000,))
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("digits/*/*/record.json"))]
    table = np.array([record["metrics"]["test_top1"] for record in records]).reshape(2, 3)  # model, seed
    left = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    assert known_sd(folder, 4_000_000) == (pytest.approx(100 * np.sqrt((left**2).sum() / 2)), "points")
    assert known_sd(tmp_path / "nothing", 4_000_000) is None
