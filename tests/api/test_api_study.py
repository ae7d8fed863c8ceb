"""Studies and results from Python: a tiny suite is run once, and everything that is public is asked of it."""

import doctest
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from matplotlib.figure import Figure
from support.studies import small_suite

import trionet_bench
from trionet_bench.api import results as results_module
from trionet_bench.errors import UsageError

ROOT = Path(__file__).parents[2]
# As a person would write it: no guard for the processes that it starts.
SCRIPT = """
import trionet_bench
study = trionet_bench.run("quickstart.yaml", device="cpu", jobs=2)
print(study.counts["complete"], study.ran.cells, study.page)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a script ran the suite."""
    folder = tmp_path_factory.mktemp("script")
    (folder / "quickstart.yaml").write_text(small_suite("quickstart", seeds=[0, 1]))
    (folder / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "4 4 reports/quickstart/index.html\n"
    return folder


@pytest.fixture
def study(folder: Path, monkeypatch: pytest.MonkeyPatch) -> trionet_bench.Study:
    """The same suite again: nothing is left to run."""
    monkeypatch.chdir(folder)
    return trionet_bench.run("quickstart.yaml", device="cpu")


def test_a_study_is_run_once(study: trionet_bench.Study, folder: Path):
    assert (study.ran.cells, study.name, study.folder) == (0, "quickstart", folder / "results/quickstart")
    assert study.counts == {"complete": 4, "failed": 0, "missing": 0, "stale": 0}
    assert study.page == Path("reports/quickstart/index.html")
    record = json.loads((study.folder / "digits/conv/400K-s0/record.json").read_text())
    assert record["command"] == "trionet_bench.run('quickstart')"


def test_frames_hold_what_the_records_say(study: trionet_bench.Study):
    cells, placement, history = study.results.cells, study.results.placement, study.results.history
    for row in cells.itertuples():
        record = json.loads((row.folder / "record.json").read_text())
        assert (row.macs, row.test_top1) == (record["macs"], record["metrics"]["test_top1"])
        of_cell = placement[(placement.model == row.model) & (placement.seed == row.seed)]
        assert of_cell.operator.tolist() == [block["operator"] for block in record["placement"]]
        assert int(of_cell.macs.sum()) == sum(block["macs"] for block in record["placement"])
    retraining = history[(history.phase == "retrain") & (history.model == "conv")]
    assert retraining.groupby("seed").epoch.max().tolist() == [2, 2]


def test_tables_and_figures_are_those_of_the_report(study: trionet_bench.Study, tmp_path: Path):
    table = study.table()
    means = study.results.cells.groupby("model").test_top1.mean()
    assert table.set_index("model")["mean"].to_dict() == pytest.approx(means.to_dict())
    study.report(tmp_path / "report", ["csv"])
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "report/tables/main.csv"), table.reset_index(drop=True), check_dtype=False, rtol=1e-12
    )
    drawn = study.figure("training_curves")
    assert isinstance(drawn, Figure)
    assert len(drawn.axes[0].lines) >= 2  # at least a curve for each model
    for name in ("main", "seeds"):
        assert name in study.results.tables()
    with pytest.raises(UsageError, match='no figure "placment"; did you mean "placement"'):
        study.figure("placment")
    with pytest.raises(UsageError, match='no data for the table "hypervolume"'):
        study.table("hypervolume")


def test_a_notebook_shows_the_answer_and_the_main_table(study: trionet_bench.Study):
    page = ElementTree.fromstring(f"<div>{study._repr_html_()}</div>")
    paragraphs = [part.text for part in page.iter("p")]
    assert paragraphs == ["4 of 4 cells, 0 failed", *study.results.answer()]
    shown = {cell.text for cell in page.iter("td")}
    assert {"conv", "trionet"} <= shown
    assert repr(study) == f"Study quickstart in {study.folder}: 4 complete"


def test_the_best_cell_is_chosen_by_validation(study: trionet_bench.Study):
    cells = study.results.cells[study.results.cells.model == "conv"]
    best = study.cell("conv")
    assert best in set(cells.folder)
    chosen = cells[cells.folder == best].val_top1.item()
    assert chosen == cells.val_top1.max()
    assert study.cell("conv", seed=1).name == "400K-s1"
    with pytest.raises(LookupError, match="no complete cell of local"):
        study.cell("local")


@pytest.mark.usefixtures("study")
def test_examples_of_the_documentation_hold():
    done = doctest.testmod(results_module, extraglobs={"trionet_bench": trionet_bench})
    assert (done.failed, done.attempted > 4) == (0, True)


def test_public_names_are_listed_and_others_refused():
    assert {"compare", "run", "results", "load", "Study", "Results"} <= set(dir(trionet_bench))
    assert all(hasattr(trionet_bench, name) for name in trionet_bench.__all__)
    with pytest.raises(AttributeError, match="no attribute 'comparre'"):
        _ = trionet_bench.comparre  # type: ignore[attr-defined]
