"""Cells that look finished count as finished; targets by hand."""

from pathlib import Path

import pytest

from trionet_bench.benchmarks.finished import write_finished
from trionet_bench.benchmarks.opened_suites import write_suite
from trionet_bench.benchmarks.start import program
from trionet_bench.benchmarks.suite import targets
from trionet_bench.execution.plan import make_plan
from trionet_bench.suite.specification import load_suite


def test_a_finished_suite_is_finished(tmp_path: Path):
    suite = str(write_suite(tmp_path, {"name": "large", "extends": "quickstart", "seeds": [3, 4]}))
    assert write_finished(suite, tmp_path / "results") == 10
    plan = make_plan(load_suite(suite), tmp_path / "results")
    assert plan.counts() == {"complete": 10, "failed": 0, "missing": 0, "stale": 0}
    assert {len(phase.content or "") for phase in plan.phases.values()} == {64}


def test_targets_by_hand():
    rows = [{"ratio": 0.8, "busy": 0.85}, {"ratio": 1.4, "overhead": 0.004}]
    bounds = [(target.measured, target.met) for target in targets(rows)]
    assert bounds == [(0.8, True), (0.85, False), (0.004, True)]


def test_a_program_that_fails_says_why():
    with pytest.raises(RuntimeError, match="ended with exit code 1"):
        program(["python3", "-c", "{}['x']"])()
