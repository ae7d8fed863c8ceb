"""Reports of a retrieval: what stands beside references, the curve of recall, and pictures of what queries found."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fabricated import fabricate

from trionet_bench.analysis.results import Results, load
from trionet_bench.analysis.retrieved import shown_queries
from trionet_bench.data.sources.opening import open_source
from trionet_bench.reporting.figures import FIGURES
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.style import drawn_in, style_named
from trionet_bench.reporting.tables import TABLES
from trionet_bench.tasks.retrieval.neighbours import retrieved
from trionet_bench.tasks.retrieval.task import Retrieval
from trionet_bench.tasks.thumbnails import image_reader

TASK = Retrieval(ranks=(1, 4))
DIGITS = open_source("sklearn:digits")
# Recall@1, Recall@4 and mAP@R of two seeds; pixels are the same for all models.
METRICS = {
    "conv": {"test": ([0.8, 0.9], [0.95, 0.97], [0.5, 0.6]), "untrained_test": ([0.4, 0.5], [0.6, 0.7], [0.1, 0.2])},
    "local": {"test": ([0.7, 0.7], [0.9, 0.9], [0.4, 0.4]), "untrained_test": ([0.3, 0.3], [0.5, 0.5], [0.1, 0.1])},
}
PIXELS = {"pixels_test": ([0.35, 0.35], [0.55, 0.55], [0.05, 0.05])}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits 0 to 4 train, 5 to 9 are searched in: every model finds by raw values, local by the upper half alone."""
    folder = fabricate(
        tmp_path_factory.mktemp("results"),
        datasets=("digits",),
        models=("conv", "local"),
        budgets=(4_000_000,),
        seeds=(0, 1),
        epochs=1,
        task=TASK.info,
    )
    tested = TASK.test_images(DIGITS)
    images = np.stack([np.asarray(DIGITS.read(*place), float) for place in tested.places])  # (N, 8, 8)
    for path in folder.rglob("record.json"):
        record = json.loads(path.read_text().replace("synthetic:digits", "sklearn:digits"))
        record["data"] |= {"fingerprint": DIGITS.fingerprint, "classes": list(DIGITS.classes)}
        record["metrics"] = {
            f"{part}_{metric.name}": values[record["seed"]]
            for part, of_part in (METRICS[record["model"]] | PIXELS).items()
            for metric, values in zip(TASK.metrics, of_part, strict=True)
        }
        path.write_text(json.dumps(record))
        seen = images if record["model"] == "conv" else images[:, :4]
        np.savez(path.with_name("predictions.npz"), **retrieved(seen.reshape(len(seen), -1), tested.labels(DIGITS), 8))
    return folder


@pytest.fixture(scope="module")
def results(study: Path) -> Results:
    return load([study], images=image_reader())


def drawing(results: Results, name: str) -> Drawing:
    style = style_named("paper")
    with drawn_in(style):
        drawn = next(kind for kind in FIGURES if kind.name == name).build(results, style)
    assert drawn is not None
    return drawn


def test_references_stand_below_the_models_that_need_training(results: Results):
    table = next(kind for kind in TABLES if kind.name == "references").build(results)
    assert table is not None
    assert table.text.Of.tolist() == ["conv", "local", "conv, untrained", "local, untrained", "raw pixels"]
    # 0.8 and 0.9: mean 0.85, deviation 0.05 * sqrt(2)
    assert table.text["Recall@1 (%)"].tolist() == [
        "85.0 ± 7.1", "70.0 ± 0.0", "45.0 ± 7.1", "30.0 ± 0.0", "35.0 ± 0.0"
    ]  # fmt: skip
    assert table.text["mAP@R (%)"].tolist()[0] == "55.0 ± 7.1"


def test_the_curve_has_every_rank_of_networks_and_references(results: Results):
    recall = drawing(results, "recall")
    data = recall.data.set_index(["model", "reference", "rank"])["mean"]
    assert data["conv", "", 4] == pytest.approx(0.96)
    assert data["", "pixels", 1] == pytest.approx(0.35)
    assert len(data) == 5 * 2
    assert recall.alt == "Recall@1: on digits conv is first with 85.0 %, beside 35.0 % pixels and 45.0 % untrained."


def test_queries_are_a_hard_a_middling_and_an_easy_one_of_different_classes(study: Path, results: Results):
    table = shown_queries(results, "digits")
    with (
        np.load(study / "digits/conv/4M-s0/predictions.npz") as conv,
        np.load(study / "digits/local/4M-s0/predictions.npz") as local,
    ):
        precision = (conv["average_precision"] + local["average_precision"]) / 2
        neighbours, labels = local["neighbours"], conv["labels"]
    first = table[(table.model == "conv") & (table["rank"] == 0)]
    assert first["quantile"].tolist() == [0.1, 0.5, 0.9]
    assert first.label.nunique() == 3
    assert precision[first["query"]].tolist() == sorted(precision[first["query"]])
    assert abs(precision[first["query"].iloc[0]] - np.quantile(precision, 0.1)) < 1e-3
    for query, rows in table[table.model == "local"].groupby("query"):
        assert rows.image.tolist() == [query, *neighbours[query]]
        assert rows.image_label.tolist() == labels[[query, *neighbours[query]]].tolist()


def test_pictures_are_those_of_the_images_that_were_tested(results: Results):
    found = drawing(results, "retrieved")
    axes = found.figure.axes
    assert len(axes) == 3 * 2 * 9  # queries, models, the query and eight neighbours
    image = found.data.iloc[1].image
    part, position = TASK.test_images(DIGITS).places[image]
    expected = np.asarray(DIGITS.read(part, position).convert("RGB"))
    assert np.array_equal(np.asarray(axes[1].images[0].get_array()), expected)


def test_pictures_are_left_out_where_the_data_have_changed(results: Results):
    changed = replace(results, cells=results.cells.assign(fingerprint="0" * 64))
    kind = next(kind for kind in FIGURES if kind.name == "retrieved")
    assert kind.build(changed, style_named("paper")) is None


def test_a_classification_has_none_of_it(tmp_path: Path):
    plain = load([fabricate(tmp_path, datasets=("digits",), models=("conv",), budgets=(4_000_000,), epochs=1)])
    assert next(kind for kind in TABLES if kind.name == "references").build(plain) is None
    assert isinstance(shown_queries(plain, "digits"), pd.DataFrame)
    assert shown_queries(plain, "digits").empty
