"""A report of nothing but correlations: supernets that rank spread architectures."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fabricated import RANKED, ranked_accuracies
from scipy import stats

from trionet_bench.analysis.ranking import supernet_correlations
from trionet_bench.analysis.ranking_power import score_table
from trionet_bench.analysis.results import Results, load
from trionet_bench.reporting.answer import answer
from trionet_bench.reporting.page import write_report
from trionet_bench.reporting.tables.ranking_power import scores_beside_macs


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


def test_supernets_are_named_with_their_data_set_where_there_are_two(results: Results):
    other = results.ranked.assign(dataset="other")
    two = replace(results, ranked=pd.concat([results.ranked, other], ignore_index=True))
    _, ranking = answer(two)
    taus = supernet_correlations(results).query("metric == 'inherited_val_top1'").set_index("model").tau
    best = taus.idxmax()
    assert re.search(rf"with {best}, .* on digits; .* with {best}, .* on other; 4 of 4 supernets rank better", ranking)


def test_a_data_set_with_nothing_to_rank_is_not_in_the_sentence_of_supernets(results: Results):
    noise = 0.8 + 0.012 / 2 * np.random.default_rng(0).normal(size=len(results.ranked))
    other = results.ranked.assign(dataset="other", val_top1=noise)
    two = replace(results, ranked=pd.concat([results.ranked, other], ignore_index=True))
    worth, ranking = answer(two)
    assert "on other differ by no more than the noise" in worth
    assert "other" not in ranking
    assert ranking.endswith("; 2 of 2 supernets rank better than MACs do.")


def test_scores_without_a_supernet_stand_once_before_those_with_one(results: Results):
    table = scores_beside_macs(results)
    assert table is not None
    scores = score_table(results)
    needs = scores.score.isin(["inherited", "predictor"])
    names = table.data.score.tolist()
    free = list(dict.fromkeys(scores[~needs].score))
    assert names == [*free, *scores[needs].score]
    assert table.text["Supernet"].tolist()[: len(free)] == ["none, seed 0"] * len(free)
    assert table.data.tau.tolist()[: len(free)] == [scores[scores.score == name].tau.iloc[0] for name in free]


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
