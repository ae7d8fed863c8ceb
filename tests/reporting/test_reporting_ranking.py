"""A report of nothing but correlations: supernets that rank spread architectures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated import RANKED, ranked_accuracies
from scipy import stats

from trionet_bench.analysis.ranking import supernet_correlations
from trionet_bench.analysis.results import Results, load
from trionet_bench.reporting.answer import answer
from trionet_bench.reporting.page import write_report


@pytest.fixture(scope="module")
def results(ranked: Path) -> Results:
    return load([ranked])


@pytest.mark.parametrize("model", ["trionet", "uniform"])
def test_each_supernet_is_correlated_in_both_states(results: Results, model: str):
    table = supernet_correlations(results).set_index(["model", "metric"])
    alone, inherited, without = ranked_accuracies(model)
    for metric, values in (("", inherited), ("_not_recalibrated", without)):
        row = table.loc[(model, f"inherited_val_top1{metric}")]
        assert row.n == RANKED
        assert row.tau == pytest.approx(stats.kendalltau(values, alone).statistic)
        assert row.rho == pytest.approx(stats.spearmanr(values, alone).statistic)
        assert row.tau_low < row.tau < row.tau_high


def test_where_networks_do_not_differ_nothing_is_said_of_supernets(results: Results):
    generator = np.random.default_rng(0)
    noise = 0.8 + 0.012 / 2 * generator.normal(
        size=len(results.ranked)
    )  # means of four runs of standard deviation 0.012
    (sentence,) = answer(replace(results, ranked=results.ranked.assign(val_top1=noise)))
    assert "differ by no more than the noise of training shows" in sentence
    assert sentence.endswith("any of them does, and nothing is claimed of how a supernet ranks them.")


def test_report_of_correlations_alone(ranked: Path, results: Results, tmp_path: Path):
    worth, ranking = answer(results)
    assert worth.startswith("30 networks of 4M MACs on digits differ by a standard deviation of ")
    assert ranking.startswith("Over 30 architectures, Kendall's tau-b")
    assert ranking.endswith("; 2 of 2 supernets rank better than MACs do.")
    page = write_report([ranked], tmp_path / "report")
    text = page.read_text()
    assert "Does the supernet rank architectures as training does?" in text
    assert "Spread architectures, inherited against alone" in text
    assert "Main results" not in text
    rows = (tmp_path / "report" / "tables" / "ranking.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 2
