"""Studies and results from Python: docs/notebook.ipynb is executed once, and everything public asked of its study."""

import doctest
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from fabricated import fabricate
from matplotlib.figure import Figure
from nbclient import NotebookClient
from support.guides import DOCS, README, blocks_of

import trionet_bench
from trionet_bench.api import results as results_module
from trionet_bench.errors import UsageError
from trionet_bench.integrity.verify import verify

(README_LINES,) = [block for block in blocks_of(README, "python") if "compare" in block]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which docs/notebook.ipynb was executed, then the lines of README, which run what is missing."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(DOCS / "notebook.ipynb", as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(DOCS.parent))
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(notebook, folder / "executed.ipynb")
    (missing,) = folder.glob("results/*/photos/conv/*-s1")
    shutil.rmtree(missing)  # so that there is something left to run
    (folder / "script.py").write_text(README_LINES)  # without a guard for the processes that it starts
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(DOCS.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (missing / "record.json").is_file()
    (folder / "printed.txt").write_text(done.stdout)
    return folder


@pytest.fixture
def study(folder: Path, monkeypatch: pytest.MonkeyPatch) -> trionet_bench.Study:
    """The same study again: nothing is left to run."""
    monkeypatch.chdir(folder)
    return trionet_bench.compare("photos", ["conv", "axial"], seeds=2, epochs=3, device="cpu")


def shown(notebook: Path) -> list[dict[str, str]]:
    """What the code cells of a notebook show, by the type of the content."""
    cells = nbformat.read(notebook, as_version=4).cells
    return [output.data for cell in cells for output in cell.get("outputs", []) if "data" in output]


def test_the_notebook_shows_what_it_showed(folder: Path):
    before, now = shown(DOCS / "notebook.ipynb"), shown(folder / "executed.ipynb")
    assert [sorted(data) for data in now] == [sorted(data) for data in before]
    assert sum("image/png" in data for data in now) == 1
    assert now[-1]["text/plain"] == before[-1]["text/plain"] == "torch.Size([1, 64, 20, 30])"


def test_the_ten_lines_of_readme_are_a_script(folder: Path):
    assert len([line for line in README_LINES.splitlines() if line]) <= 10
    assert "axial" in (folder / "printed.txt").read_text()
    assert (folder / "curves.png").stat().st_size > 1000


def test_a_study_is_run_once(study: trionet_bench.Study, folder: Path):
    assert (study.ran.cells, study.folder) == (0, folder / "results" / study.name)
    assert study.counts == {"complete": 4, "failed": 0, "missing": 0, "stale": 0}
    assert study.page == Path("reports", study.name, "index.html")
    assert study.suite_file == Path("results", f"{study.name}.yaml")
    record = json.loads((study.cell("axial") / "record.json").read_text())
    assert record["command"] == "trionet_bench.compare('photos')"
    assert verify(study.folder).faults == ()


def test_frames_hold_what_the_records_say(study: trionet_bench.Study):
    cells, placement, history = study.results.cells, study.results.placement, study.results.history
    for row in cells.itertuples():
        record = json.loads((row.folder / "record.json").read_text())
        assert (row.macs, row.test_top1) == (record["macs"], record["metrics"]["test_top1"])
        of_cell = placement[(placement.model == row.model) & (placement.seed == row.seed)]
        assert of_cell.operator.tolist() == [block["operator"] for block in record["placement"]]
        assert int(of_cell.macs.sum()) == sum(block["macs"] for block in record["placement"])
    retraining = history[(history.phase == "retrain") & (history.model == "conv")]
    assert retraining.groupby("seed").epoch.max().tolist() == [3, 3]


def test_tables_and_figures_are_those_of_the_report(study: trionet_bench.Study):
    table = study.table()
    means = study.results.cells.groupby("model").test_top1.mean()
    assert table.set_index("model")["mean"].to_dict() == pytest.approx(means.to_dict())
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
    assert {"conv", "axial"} <= shown
    assert repr(study) == f"Study {study.name}: 4 complete"


def test_the_best_cell_is_chosen_by_validation(study: trionet_bench.Study):
    cells = study.results.cells[study.results.cells.model == "conv"]
    best = study.cell("conv")
    assert best in set(cells.folder)
    chosen = cells[cells.folder == best].val_top1.item()
    assert chosen == cells.val_top1.max()
    assert study.cell("conv", seed=1).name.endswith("-s1")
    with pytest.raises(LookupError, match="no complete cell of local"):
        study.cell("local")


def test_examples_of_the_documentation_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fabricate(tmp_path / "results", "quickstart", ("digits",), ("conv", "trionet"), (0, 1), (3_000_000,))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(results_module, "is_doubtful", None)  # nothing that is made up verifies
    done = doctest.testmod(results_module, extraglobs={"trionet_bench": trionet_bench})
    assert (done.failed, done.attempted > 4) == (0, True)


def test_public_names_are_listed_and_others_refused():
    assert {"compare", "run", "results", "load", "Study", "Results"} <= set(dir(trionet_bench))
    assert all(hasattr(trionet_bench, name) for name in trionet_bench.__all__)
    with pytest.raises(AttributeError, match="no attribute 'comparre'"):
        _ = trionet_bench.comparre  # type: ignore[attr-defined]


@pytest.mark.parametrize("models", ["conv, axail", ["conv", "axail"]])
def test_models_are_named_in_a_text_or_a_sequence(models: str | list[str], tmp_path: Path):
    with pytest.raises(UsageError, match='unknown model "axail"; did you mean "axial"'):
        trionet_bench.compare("sklearn:digits", models, results=tmp_path, reports=tmp_path)
