"""Candidates are scored after recalibration on more and on fewer images, and their orders are compared."""

from pathlib import Path

import pytest
from scipy import stats

from trionet_bench.benchmarks.opened_suites import write_suite
from trionet_bench.benchmarks.recalibration import measure, targets
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.benchmarks.suite import TINY
from trionet_bench.errors import UsageError


def test_orders_of_fewer_images_beside_that_of_the_most(tmp_path: Path):
    recipe = {
        **TINY["recipe"],
        "supernet": {"epochs": 1, "random_children": 1},
        "search": {"calibration_images": 16, "calibration_batch": 8},
    }
    suite = write_suite(tmp_path, {**TINY, "recipe": recipe})
    lines: list[str] = []
    found = measure(Setting("cpu", threads=1, samples=4), lambda *line: lines.append(str(line)), suite=str(suite))
    rows = found["cases"]
    assert [(row["images"], row["usual"]) for row in rows] == [(32, False), (16, True), (8, False)]
    for row in rows:
        assert row["reference"] == "64 images"
        assert row["tau"] == pytest.approx(stats.kendalltau(row["scores"], row["reference_scores"]).statistic)
        chosen = row["scores"].index(max(row["scores"]))
        assert row["fitness_behind"] == max(row["reference_scores"]) - row["reference_scores"][chosen] >= 0
        assert len(set(row["scores"])) == len(row["samples_ms"]) == row["candidates"] == 4
    assert rows[1]["scores"] != rows[2]["scores"]
    assert len(lines) == 3
    assert [target["found"] for target in found["targets"]] == [rows[1]["tau"]]


def test_a_suite_without_the_model_is_refused(tmp_path: Path):
    models = {
        **dict.fromkeys(("conv", "local", "axial", "trionet", "random")),
        "c": {"system": "standalone", "operator": "conv"},
    }
    suite = write_suite(tmp_path, {**TINY, "models": models, "comparisons": []})
    with pytest.raises(UsageError, match="no model of the suite is called trionet"):
        measure(Setting("cpu", threads=1, samples=1), lambda *_: None, suite=str(suite))


def test_the_target_is_that_of_the_images_of_the_recipe():
    rows = [{"tau": 0.5, "usual": False}, {"tau": 0.95, "usual": True}]
    assert [(target.measured, target.met) for target in targets(rows)] == [(0.95, True)]
