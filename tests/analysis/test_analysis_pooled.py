"""The pooled error against statsmodels and scipy, and its coverage by simulation."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from trionet_bench.analysis.pooled import PooledError, noninferiority, pooled_difference, pooled_error


def drawn(
    generator: np.random.Generator, models: int, seeds: int, datasets: int = 1, effect: float = 0.0, sd: float = 1.0
) -> pd.DataFrame:
    """Values with an effect of each seed, larger than the noise, and of the last model."""
    rows = []
    for d in range(datasets):
        of_seed = 3 * generator.normal(size=seeds)
        rows += [
            (
                f"d{d}",
                seed,
                f"m{model}",
                10 * d + of_seed[seed] + effect * (model == models - 1) + sd * generator.normal(),
            )
            for model, seed in itertools.product(range(models), range(seeds))
        ]
    return pd.DataFrame(rows, columns=["dataset", "seed", "model", "value"])


def difference(values: pd.DataFrame, candidate: str, baseline: str) -> tuple[list[float], list[int]]:
    wide = values.pivot(index=["dataset", "seed"], columns="model", values="value")
    by_set = (wide[candidate] - wide[baseline]).groupby("dataset")
    return by_set.mean().tolist(), by_set.size().tolist()


def test_error_and_f_test_are_those_of_statsmodels():
    values = drawn(np.random.default_rng(0), models=5, seeds=4, effect=1.0)
    table = anova_lm(ols("value ~ C(model) + C(seed)", values).fit())
    error = pooled_error(values)
    assert error is not None
    assert error.df == table.df["Residual"] == 12
    assert error.sd**2 == pytest.approx(table.mean_sq["Residual"])
    assert error.p == pytest.approx(table["PR(>F)"]["C(model)"])


def test_data_sets_are_fitted_one_by_one():
    values = drawn(np.random.default_rng(1), models=3, seeds=4, datasets=2)
    table = anova_lm(ols("value ~ C(dataset) / C(model) + C(dataset) / C(seed)", values).fit())
    error = pooled_error(values)
    assert error is not None
    assert error.df == table.df["Residual"] == 2 * 2 * 3
    assert error.sd**2 == pytest.approx(table.mean_sq["Residual"])


def test_two_models_give_the_paired_t_test():
    values = drawn(np.random.default_rng(2), models=2, seeds=5, effect=2.0)
    error = pooled_error(values)
    assert error is not None
    result = pooled_difference(*difference(values, "m1", "m0"), error)
    wide = values.pivot(index="seed", columns="model", values="value")
    paired = stats.ttest_rel(wide.m1, wide.m0)
    assert result.p == pytest.approx(paired.pvalue)
    assert (result.low, result.high) == pytest.approx(tuple(paired.confidence_interval()))
    against = stats.ttest_1samp(wide.m1 - wide.m0, -0.5, alternative="greater")
    assert noninferiority(result, 0.5, 1) == pytest.approx(against.pvalue)


def test_model_that_lacks_a_seed_does_not_count():
    values = drawn(np.random.default_rng(3), models=4, seeds=3)
    without = values.drop(values.index[(values.model == "m3") & (values.seed == 0)])
    assert pooled_error(without) == pooled_error(values[values.model != "m3"])


def test_a_model_that_is_ahead_in_seeds_does_not_hide_the_others():
    values = drawn(np.random.default_rng(3), models=4, seeds=5)
    begun = values[(values.model == "m3") | (values.seed < 3)]  # three models have three seeds, one has five
    error = pooled_error(begun)
    assert error == pooled_error(values[values.seed < 3])
    assert error is not None
    assert error.df == 2 * 3


def test_nothing_to_pool():
    one = drawn(np.random.default_rng(4), models=3, seeds=1)
    assert pooled_error(one) is None
    assert pooled_error(one.assign(value=1.0)) is None
    constant = pooled_error(drawn(np.random.default_rng(4), models=3, seeds=3, sd=0.0))  # only seeds differ
    assert constant is not None
    assert constant.sd == 0
    result = pooled_difference([0.01], [3], constant)
    assert np.isnan([result.low, result.high, result.p]).all()  # never an interval of no width


def test_half_width_by_hand():
    # 4 models, 3 seeds: 6 degrees of freedom, t 2.447; sd 0.9: 2.447 * 0.9 * sqrt(2 / 3)
    error = PooledError(0.9, 6, 4, 0.5, between=0.9, df_between=3, noise=0.81, df_noise=6, seeds=3)
    result = pooled_difference([1.0], [3], error)
    assert result.high - result.mean == pytest.approx(2.4469 * 0.9 * (2 / 3) ** 0.5, rel=1e-4)


def test_f_test_with_images_is_the_ratio_of_mean_squares():
    """Scores whose four mean squares are known: F = MS_m / (MS_ms + MS_mi - MS_msi), in the unit of single scores."""
    generator, seeds, models, images = np.random.default_rng(6), 3, 4, 25
    scores = (
        generator.normal(size=(seeds, models, 1))
        + generator.normal(size=(1, models, images))
        + generator.normal(size=(seeds, models, images))
    )
    keys = list(itertools.product(range(seeds), range(models)))
    rows = [("d", s, f"m{m}", scores[s, m].mean()) for s, m in keys]
    values = pd.DataFrame(rows, columns=["dataset", "seed", "model", "value"])
    long = pd.DataFrame(
        [(s, m, i, scores[s, m, i]) for s, m in keys for i in range(images)], columns=["s", "m", "i", "y"]
    )
    squares = anova_lm(ols("y ~ (C(s) + C(m) + C(i)) ** 2", long).fit()).mean_sq  # what is left is s by m by i
    ms, mi, msi = squares["C(s):C(m)"], squares["C(m):C(i)"], squares["Residual"]
    denominator = ms + mi - msi
    df = denominator**2 / (ms**2 / (2 * 3) + mi**2 / (3 * 24))
    error = pooled_error(values, {("d", f"m{m}", s): scores[s, m] for s, m in keys})
    assert error is not None
    assert error.p == pytest.approx(stats.f.sf(squares["C(m)"] / denominator, 3, df))
