"""How far models differ beyond noise: by hand, and against simulated studies whose spread is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fabricated import fabricate

from trionet_bench.analysis.model_spread import between_models, spread_of_models
from trionet_bench.analysis.pooled import PooledError, pooled_error
from trionet_bench.analysis.results import load
from trionet_bench.reporting.answer import answer

# Four models by four seeds, residuals of the additive model as they are: rows and columns sum to zero.
NOISE = np.array([[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]]) / 100
LEVELS = (0.70, 0.72, 0.74, 0.76)


def error_of(levels: tuple[float, ...]) -> PooledError:
    grid = [("d", f"m{m}", s, levels[m] + NOISE[m, s]) for m in range(4) for s in range(4)]
    known = pooled_error(pd.DataFrame(grid, columns=["dataset", "model", "seed", "value"]))
    assert known is not None
    return known


def test_spread_is_that_of_the_levels_less_the_noise():
    # mean square within: 8 residuals of 0.01 over (4-1)(4-1); between: 4 seeds times the variance of the levels
    low, sd, high = between_models(error_of(LEVELS))
    assert sd == pytest.approx(np.sqrt(np.var(LEVELS, ddof=1) - 8 * 0.01**2 / 9 / 4))
    assert 0 < low < sd < high


def test_models_that_are_equal_have_no_spread_but_an_upper_end():
    low, sd, high = between_models(error_of((0.7,) * 4))
    assert (low, sd) == (0, 0)
    assert high == 0  # even the mean square between models is below what noise alone would give
    assert between_models(error_of((0.70, 0.70, 0.705, 0.705)))[2] > 0


def test_interval_covers_the_spread_that_studies_were_drawn_with():
    models, seeds, noise, truth = 6, 5, 1.0, 0.8
    generator = np.random.default_rng(0)
    df, df_noise = models - 1, (models - 1) * (seeds - 1)
    held = []
    for _ in range(2000):
        between = (noise + seeds * truth**2) * generator.chisquare(df) / df
        within = noise * generator.chisquare(df_noise) / df_noise
        low, sd, high = between_models(PooledError(1.0, df_noise, models, 0.0, between, df, within, df_noise, seeds))
        assert low <= sd <= high
        held.append(low <= truth <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_report_says_what_the_choice_is_worth(tmp_path: Path):
    models = ("conv", "local", "axial", "random")
    sizes = {"datasets": ("digits",), "budgets": (4_000_000,), "seeds": (0, 1, 2, 3), "epochs": 1}
    results = load([fabricate(tmp_path, models=models, side_files=False, **sizes)])
    cells = results.cells.copy()
    cells["test_top1"] = [LEVELS[models.index(row.model)] + NOISE[models.index(row.model), row.seed]
                          for row in cells.itertuples()]  # fmt: skip
    results = replace(results, cells=cells)
    known = spread_of_models(results)
    assert known is not None
    low, sd, high = (100 * value for value in between_models(error_of(LEVELS)))
    said = f"The 4 models of 4M MACs differ by a standard deviation of {sd:.1f} points ([{low:.1f}, {high:.1f}])"
    assert any(line.startswith(said) for line in answer(results))
    two = replace(results, cells=cells[cells.model.isin(["conv", "local"])])
    assert spread_of_models(two) is None
