"""Seeds crossed with test images, against statsmodels, and coverage by simulation."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from trionet_bench.analysis.coverage import coverage_table
from trionet_bench.analysis.crossed import OF_A_DIFFERENCE, OF_A_SHARE, ImagePart, crossed, image_part


def test_variance_of_a_mean_is_that_of_a_two_way_analysis():
    scores = np.random.default_rng(0).normal(size=(4, 30)) + np.random.default_rng(1).normal(size=(1, 30))
    long = pd.DataFrame(scores).melt(ignore_index=False, var_name="image").rename_axis("seed").reset_index()
    squares = anova_lm(ols("value ~ C(seed) + C(image)", long).fit()).mean_sq
    expected = (squares["C(seed)"] + squares["C(image)"] - squares["Residual"]) / 120
    variance, _ = crossed(float(scores.mean(axis=1).var(ddof=1)) / 4, 3, [image_part(scores)])
    assert variance == pytest.approx(expected)


def test_degrees_of_freedom_by_hand():
    # 0.02 with 4 degrees and 0.01 with 99: (0.03)^2 / (0.02^2 / 4 + 0.01^2 / 99)
    assert crossed(0.02, 4, [ImagePart(0.01, 0.0, 99)]) == pytest.approx((0.03, 0.0009 / (0.0001 + 0.0001 / 99)))
    assert crossed(0.02, 4, []) == (0.02, 4)


def test_answers_that_agree_everywhere_leave_some_doubt():
    assert image_part(np.ones((3, 50)), OF_A_SHARE).variance == pytest.approx(np.var([1] * 52 + [0] * 2, ddof=1) / 54)
    assert image_part(np.zeros((3, 50)), OF_A_DIFFERENCE).variance == pytest.approx(2 / 51 / 52)


@pytest.fixture(scope="module")
def simulated() -> pd.Series:
    return coverage_table(200, (3,)).set_index("interval")["n = 3"]


def test_intervals_hold_what_they_claim(simulated: pd.Series):
    """Two hundred studies: a true 95 % shows as 91.5 % or more in 97 of 100 tries."""
    for kind in (
        "mean of a model: seeds and images",
        "difference, error of all models: seeds and images",
        "difference, the pair alone: seeds and images",
    ):
        assert simulated[kind] >= 0.915, kind
    assert simulated["F test: models that are equal pass for different"] <= 0.1


def test_seeds_alone_hold_less_than_they_claim_of_other_images(simulated: pd.Series):
    assert simulated["mean of a model: seeds alone"] < 0.9
    assert simulated["difference, error of all models: seeds alone"] < 0.9
