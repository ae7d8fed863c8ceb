"""The task of docs/adding-task.md works as it stands there: in one file outside the package, by one variable."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.guides import block_of
from support.system_battery import carried_out, check_a_cell_gives_a_record_within_its_budget
from support.task_battery import TASK_CHECKS
from support.tiny import cell

from trionet_bench.cli.main import main
from trionet_bench.integrity.verify import verify
from trionet_bench.records.store import iter_records
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.registry import TASKS


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder outside the package with the file of the guide, which is a plugin."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "brightness.py").write_text(block_of("adding-task.md", "python"))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}:{folder}")
    monkeypatch.setenv("TRIONET_BENCH_PLUGINS", "brightness")
    importlib.import_module("brightness")
    yield folder
    TASKS.unregister("brightness")
    del sys.modules["brightness"]


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("check", TASK_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_the_task_of_the_guide_passes_the_battery(check: Callable[[Task, Path], None], tmp_path: Path):
    check(TASKS.get("brightness").task(), tmp_path)


@pytest.mark.usefixtures("outside")
def test_a_supernet_is_trained_and_searched_for_it(tmp_path: Path):
    of = cell("trionet", task=TASKS.get("brightness").task())
    check_a_cell_gives_a_record_within_its_budget((of, of), tmp_path)
    result = carried_out(of, tmp_path, "again")
    assert result.search is not None
    # fitness is minus the error, so that more is better; the metric is the error itself
    best = max(child.fitness for child in result.search.evaluated)
    assert best == pytest.approx(-result.metrics["search_val_mse"], rel=1e-6)  # means of float32 by batch, and of all
    assert best <= 0
    assert {"inherited_test_mse", "finetuned_test_mse"} <= result.metrics.keys()
    assert all(probe.fitness <= 0 for probe in result.search.probes)


@pytest.mark.usefixtures("outside")
def test_the_suite_of_the_guide_runs_to_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("brightness.yaml").write_text(block_of("adding-task.md", "yaml"))
    done = CliRunner().invoke(main, ["run", "brightness.yaml", "--device", "cpu", "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["counts"] == {"complete": 4, "failed": 0, "missing": 0, "stale": 0}
    for record in iter_records(Path("results")):
        assert (record.task.name, record.task.options) == ("brightness", {"scale": 2.0})
        assert sorted(record.metrics) == ["test_mse", "val_mse"]
        with np.load(f"results/brightness/textures/{record.model}/4M-s{record.seed}/predictions.npz") as columns:
            by_hand = float(np.mean((columns["predicted"] - columns["brightness"]) ** 2))
        assert record.metrics["test_mse"] == pytest.approx(by_hand)
    assert verify(Path("results")).faults == ()
    page = Path("reports/brightness/index.html").read_text()
    assert "squared error" in page
    assert "top-1" not in page
