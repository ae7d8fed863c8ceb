"""Reports of tasks whose primary metric is no accuracy: direction, unit and label are those of the records."""

import re
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from fabricated import fabricate
from scipy import stats
from support.tasks import LIKELIHOOD

from trionet_bench.analysis.comparisons import compare
from trionet_bench.analysis.decision import decide
from trionet_bench.analysis.results import Results, load, load_by_task
from trionet_bench.analysis.summary import mark_leaders, summarise
from trionet_bench.errors import UsageError
from trionet_bench.records.store import iter_records
from trionet_bench.reporting.answer import answer
from trionet_bench.reporting.figures import FIGURES
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.page import write_report
from trionet_bench.reporting.style import drawn_in, style_named
from trionet_bench.reporting.tables import TABLES
from trionet_bench.reporting.verdict import verdict

BUDGET = 4_000_000
MARGIN = 0.2  # nats


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data set and budget, four models, three seeds; the search is best, which means lowest."""
    return fabricate(
        tmp_path_factory.mktemp("results"),
        datasets=("digits",),
        models=("conv", "local", "axial", "trionet"),
        budgets=(BUDGET,),
        epochs=3,
        margin=MARGIN,
        task=LIKELIHOOD,
    )


@pytest.fixture(scope="module")
def results(study: Path) -> Results:
    return load([study])


def values(study: Path, model: str) -> list[float]:
    """Of each seed, read from the records themselves."""
    records = sorted((r for r in iter_records(study) if r.model == model), key=lambda r: r.seed)
    return [record.metrics["test_nll"] for record in records]


def drawing(results: Results, name: str) -> Drawing:
    style = style_named("paper")
    kind = next(kind for kind in FIGURES if kind.name == name)
    with drawn_in(style):
        drawn = kind.build(results, style)
    assert drawn is not None
    return drawn


def test_the_lowest_leads(study: Path, results: Results):
    means = {model: fmean(values(study, model)) for model in results.models}
    lowest = min(means, key=means.__getitem__)
    table = summarise(results).assign(mark=mark_leaders(results)).set_index("model")
    assert table.mark[lowest] == "best"
    assert table.mark[max(means, key=means.__getitem__)] != "best"
    decision = decide(results)
    assert decision is not None
    assert decision.best == lowest
    assert f"take {decision.taken} (" in answer(results)[0]
    assert f"{means[decision.taken]:.3f} nats" in answer(results)[0]


def test_main_table_has_plain_numbers_under_the_metric_and_its_unit(study: Path, results: Results):
    main = next(kind for kind in TABLES if kind.name == "main").build(results)
    assert main is not None
    conv = main.text[main.text.Model == "conv"].iloc[0]
    seeds = values(study, "conv")
    assert conv["NLL (nats)"] == f"{fmean(seeds):.3f} ± {stats.tstd(seeds):.3f}"


def test_a_comparison_keeps_the_sign_of_the_metric_and_knows_which_is_better(study: Path, results: Results):
    differences = [a - b for a, b in zip(values(study, "trionet"), values(study, "conv"), strict=True)]
    row = compare(results).set_index("candidate").loc["trionet"]
    assert row["mean"] == pytest.approx(fmean(differences))
    assert row["mean"] < 0
    assert row.margin == MARGIN  # in nats, not in percentage points
    # non-inferior: the loss is less than the margin above the baseline's, by the error of all four models
    table = np.array([values(study, model) for model in ("conv", "local", "axial", "trionet")])  # (models, seeds)
    left = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    df = 3 * (table.shape[1] - 1)
    spread = np.sqrt((left**2).sum() / df * 2 / table.shape[1])
    assert row.p_noninferior == pytest.approx(stats.t.cdf((fmean(differences) - MARGIN) / spread, df))


def test_verdicts_point_the_right_way(results: Results):
    by_hand = results.cells.copy()
    for model, shift in (("local", -0.5), ("axial", 0.5)):
        conv = by_hand[by_hand.model == "conv"].set_index("seed").test_nll
        rows = by_hand.model == model
        by_hand.loc[rows, "test_nll"] = by_hand[rows].seed.map(conv + shift + 0.01 * conv.index.to_series())
    shifted = Results(**{**vars(results), "cells": by_hand})
    verdicts = compare(shifted).set_index("candidate").verdict
    assert (verdicts["local"], verdicts["axial"]) == ("better", "worse")


def test_figures_are_labelled_with_the_metric_and_drawn_in_its_unit(study: Path, results: Results):
    accuracy = drawing(results, "cost")
    assert accuracy.figure.axes[0].get_ylabel() == "test NLL (nats)"
    lowest = accuracy.data.sort_values("mean").iloc[0]
    assert lowest.front_macs
    differences = drawing(results, "differences")
    axis = differences.figure.axes[0]
    assert axis.get_xlabel() == "difference in nats of test NLL, candidate minus baseline"
    dashed = [line for line in axis.lines if line.get_color() == "#b3261e"]
    assert {float(line.get_xdata()[0]) for line in dashed} == {MARGIN}  # worse lies to the right of zero
    assert "an interval wholly to its left shows non-inferiority" in differences.note
    search = drawing(results, "search_progress")
    assert search.figure.axes[0].get_ylabel() == "best fitness so far (nats)"
    assert "minus NLL" in search.note
    probes = drawing(results, "supernet_probes")
    assert probes.figure.axes[0].get_ylabel() == "inherited NLL (nats)"
    assert (probes.data.middle >= 0).all()  # the metric, not the fitness, which is negative


def test_no_sentence_of_the_report_speaks_of_accuracy(study: Path, tmp_path: Path):
    out = write_report([study], tmp_path / "report", ("md",)).read_text()
    for word in ("top-1", "accuracy", "Accuracy", "accurate"):
        assert word not in out
    assert "## Results" in out


def test_last_words_of_a_comparison(study: Path):
    table, sentences = verdict([study])
    assert "NLL nats" in table
    assert re.search(r"take \w+ \(the fastest of \d shown to be within .*by at most \d\.\d{3} nats", sentences[0])
    assert not any("points" in sentence for sentence in sentences)


def test_tasks_are_reported_apart_on_one_page(study: Path, tmp_path: Path):
    classification = fabricate(tmp_path, "classes", ("flowers",), ("conv", "axial"), budgets=(BUDGET,), epochs=2)
    parts = load_by_task([classification, study])
    datasets = {part.task.name: part.datasets for part in parts}
    assert datasets == {"classification": ("flowers",), "likelihood": ("digits",)}
    for part in parts:
        assert {comparison.metric for comparison in part.declared.comparisons} == {part.score}
        assert set(part.cells.dataset) == set(part.datasets)
    page = write_report([classification, study], tmp_path / "report", ("html", "csv"))
    text = page.read_text()
    assert "<h2>classification: Results</h2>" in text
    assert "<h2>likelihood: Results</h2>" in text
    tables = {path.name for path in (page.parent / "tables").iterdir()}
    assert {"classification-main.csv", "likelihood-main.csv"} <= tables
    with pytest.raises(UsageError, match="several tasks"):
        load([classification, study])


def test_a_comparison_without_a_metric_is_by_the_primary_one(study: Path):
    declared = {"name": "made-up", "comparisons": [{"metric": None, "baseline": "conv", "candidates": ["axial"]}]}
    (comparison,) = load([study], declared).declared.comparisons
    assert comparison.metric == "test_nll"
