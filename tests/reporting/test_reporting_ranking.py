"""A report of nothing but correlations: supernets that rank spread architectures."""

from pathlib import Path

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


def test_report_of_correlations_alone(ranked: Path, results: Results, tmp_path: Path):
    (sentence,) = answer(results)
    assert sentence.startswith("Over 30 architectures, Kendall's tau-b")
    page = write_report([ranked], tmp_path / "report")
    text = page.read_text()
    assert "Does the supernet rank architectures as training does?" in text
    assert "Spread architectures, inherited against alone" in text
    assert "Main results" not in text
    rows = (tmp_path / "report" / "tables" / "ranking.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 2
