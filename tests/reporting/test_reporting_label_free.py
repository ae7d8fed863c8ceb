"""Searches without labels in a report: a table beside those by labels, figures of their own, and nothing mixed up."""

import json
from pathlib import Path

import pytest
from fabricated import fabricate, fabricate_ranked

from trionet_bench.analysis.label_free import label_free
from trionet_bench.analysis.results import Results, load
from trionet_bench.records.record import Record
from trionet_bench.reporting.figures.correlation import draw_fitness_scatter, draw_spread_scatter
from trionet_bench.reporting.figures.search import draw_pretext_progress, draw_search_progress
from trionet_bench.reporting.figures.training import draw_pretext_loss, draw_pretext_probes, draw_supernet_probes
from trionet_bench.reporting.style import drawn_in, style_named
from trionet_bench.reporting.tables.ablations import spread_correlation
from trionet_bench.reporting.tables.label_free import searched_without_labels

MODELS = ("conv", "labels", "free", "blind")
OPERATORS = {"labels": ["conv", "local", "axial"], "free": ["conv", "axial", "axial"], "blind": ["local"] * 3}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Of four models two were searched without labels; networks of three blocks, whose windows differ in the middle."""
    folder = fabricate(
        tmp_path_factory.mktemp("label-free"), datasets=("digits",), models=MODELS, seeds=(0, 1), budgets=(4_000_000,)
    )
    for path in folder.rglob("record.json"):
        value = json.loads(path.read_text())
        model = value["model"]
        if model == "conv":
            continue
        value["placement"] = [
            value["placement"][0] | {"stage": 0, "block": b, "operator": operator, "window": 3 + 2 * (b == 1)}
            for b, operator in enumerate(OPERATORS[model])
        ]
        value["metrics"]["test_top1"] = {"labels": 0.9, "free": 0.8, "blind": 0.5}[model] + 0.01 * value["seed"]
        if model != "labels":
            value["search"] |= {"pretext": "context-autoregression", "fitness": "loss"}
            rows = [{"phase": "pretext", "epoch": e, "train_loss": 1.0 - 0.25 * e} for e in (1, 2)]
            with (path.parent / "history.jsonl").open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
        path.write_text(Record.model_validate(value).model_dump_json(by_alias=True))
    return load([folder])


def test_label_free_searches_stand_beside_those_by_labels(results: Results):
    table = label_free(results).set_index("model")
    assert [*table.index] == ["labels", "free", "blind"]  # conv is of another system
    assert table.pretext.fillna("").tolist() == ["", "context-autoregression", "context-autoregression"]
    assert table["mean"].tolist() == pytest.approx([0.905, 0.805, 0.505])
    assert table.difference.tolist() == pytest.approx([0, -0.1, -0.4])
    assert table.same.tolist() == pytest.approx([1, 2 / 3, 1 / 3])
    assert table.seconds.between(240, 241).all()  # 200 for the supernet, 40 and a fraction for the search
    assert table.seeds.tolist() == [2, 2, 2]


def test_the_table_says_what_is_known(results: Results):
    table = searched_without_labels(results)
    assert table is not None
    assert table.note.startswith(
        "FAB-NAS (reconstruction): of the paper (arXiv 2111.07139) only the abstract is known."
    )
    assert table.text["Searched by"].tolist() == ["labels", *["context-autoregression"] * 2]
    assert table.text["Less by labels (points)"].tolist()[1:] == ["\N{MINUS SIGN}10.0", "\N{MINUS SIGN}40.0"]


def test_figures_keep_both_kinds_of_search_apart(results: Results):
    style = style_named("paper")
    with drawn_in(style):
        drawn = [
            draw(results, style)
            for draw in (draw_search_progress, draw_supernet_probes, draw_pretext_progress, draw_pretext_probes)
        ]
        loss = draw_pretext_loss(results, style)
    assert loss is not None and all(drawn)
    assert [set(each.data.get("model", {"labels"})) for each in drawn if each][::2] == [{"labels"}, {"free", "blind"}]
    assert ["Supernet of labels." in drawn[1].note, "Supernet of free." in drawn[3].note] == [True, True]
    assert "on digits from 0.750 to 0.500 (free)" in loss.alt
    assert set(loss.data.model) == {"free", "blind"}


def test_there_is_no_such_table_without_such_a_search(made_up: Path):
    assert searched_without_labels(load([made_up])) is None


def test_correlations_by_fitness_have_a_figure_of_their_own(tmp_path: Path):
    folder = fabricate_ranked(tmp_path)
    for path in (folder / "digits" / "uniform").rglob("record.json"):
        value = json.loads(path.read_text())
        value["ranked"] = [entry | {"scored_by": "fitness"} for entry in value["ranked"]]
        path.write_text(json.dumps(value))
    results = load([folder])
    table = spread_correlation(results)
    assert table is not None
    assert "uniform: networks that spend about the budget, and in place of accuracy" in table.note
    style = style_named("paper")
    with drawn_in(style):
        by_metric, by_fitness = draw_spread_scatter(results, style), draw_fitness_scatter(results, style)
    assert by_metric is not None and by_fitness is not None
    assert [set(drawing.data.model) for drawing in (by_metric, by_fitness)] == [{"trionet"}, {"uniform"}]
