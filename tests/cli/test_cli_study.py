"""A whole study through the command line, small: real images, real systems, worker processes, the report."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.studies import small_suite

from trionet_bench.analysis.results import load_by_task
from trionet_bench.records.store import iter_records
from trionet_bench.reporting.answer import answer

ROOT = Path(__file__).parents[2]


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trionet_bench", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the suite was run once."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "small.yaml").write_text(small_suite("small"))
    done = bench(folder, "run", "small.yaml", "--device", "cpu", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    (results,) = load_by_task([folder / "results" / "small"])
    said = ["small: 2 of 2 cells complete", *answer(results), "Report: reports/small/index.html"]
    assert done.stdout == "\n".join(said) + "\n"
    assert " take " in said[1] or "†" in said[1], said[1]  # what the page opens with
    return folder


def test_every_record_and_file_is_what_it_says(study: Path):
    done = bench(study, "verify", "--json")
    assert json.loads(done.stdout)["faults"] == []
    records = {record.model: record for record in iter_records(study / "results")}
    assert set(records) == {"conv", "trionet"}
    for record in records.values():
        assert record.metrics["test_top1"] > 0.2  # chance is 0.1
        assert record.macs is not None
        assert record.macs <= record.budget == 400_000
        assert record.determinism["threads"] >= 1
    assert list(records["trionet"].inputs) == ["supernet"]


def test_the_report_is_there(study: Path):
    assert "trionet" in (study / "reports/small/index.html").read_text()


def test_a_second_run_runs_nothing_and_leaves_the_report(study: Path):
    page = study / "reports/small/index.html"
    before = page.stat().st_mtime_ns
    done = bench(study, "run", "small.yaml", "--json")
    assert json.loads(done.stdout)["ran"] == 0
    assert done.stderr == ""
    assert page.stat().st_mtime_ns == before


def test_the_same_seed_gives_the_same_metrics_bit_for_bit(study: Path):
    options = ("--results", "again", "--no-report", "--device", "cpu", "--jobs", "2")
    done = bench(study, "run", "small.yaml", *options)
    assert done.returncode == 0, done.stderr
    first, second = ({r.model: r for r in iter_records(study / folder)} for folder in ("results", "again"))
    for model, record in first.items():
        again = second[model]
        assert (again.key, again.metrics, again.architecture) == (record.key, record.metrics, record.architecture)
        assert again.artifacts["model.safetensors"] == record.artifacts["model.safetensors"]
