"""Cells that look done are taken for done; how busy the cores are, by hand."""

import os
from pathlib import Path

import pytest

from trionet_bench.benchmarks.finished import write_finished
from trionet_bench.benchmarks.start import program
from trionet_bench.benchmarks.study import write_suite
from trionet_bench.benchmarks.suite import _Run, _tree, targets
from trionet_bench.execution.plan import make_plan
from trionet_bench.suite.specification import load_suite


def test_a_finished_suite_is_finished(tmp_path: Path):
    suite = str(write_suite(tmp_path, {"name": "large", "extends": "quickstart", "seeds": [3, 4]}))
    assert write_finished(suite, tmp_path / "results") == 10
    plan = make_plan(load_suite(suite), tmp_path / "results")
    assert plan.counts() == {"complete": 10, "failed": 0, "missing": 0, "stale": 0}
    assert {len(phase.content or "") for phase in plan.phases.values()} == {64}


def test_busy_is_processor_time_over_time_and_cores():
    run = _Run()
    # a second to start with one core, then two with two workers on both, then one worker alone
    run.points = [(0.0, 0.0, 0), (1.0, 1.0, 2), (2.0, 2.8, 2), (3.0, 4.6, 2), (4.0, 5.6, 1)]
    assert run.busy(2, at_once=2) == [pytest.approx(3.6 / 2 / 2)]
    assert run.busy(2, at_once=0) == [pytest.approx(5.6 / 4 / 2)]
    run.points.append((5.0, 0.2, 0))  # the workers, and who waited for them, are gone
    assert run.busy(2, at_once=0) == [pytest.approx(5.6 / 5 / 2)]
    assert _Run().busy(2, at_once=2) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not tell")
def test_the_tree_begins_with_the_program_itself():
    (depth, ticks), *_ = _tree(os.getpid())
    assert depth == 0
    assert ticks > 0


def test_targets_by_hand():
    rows = [{"ratio": 0.8, "busy": 0.85}, {"ratio": 1.4, "overhead": 0.004}]
    found = [(target.found, target.met) for target in targets(rows)]
    assert found == [(0.8, True), (0.85, False), (0.004, True)]


def test_a_program_that_fails_says_why():
    with pytest.raises(RuntimeError, match="ended with exit code 1"):
        program(["python3", "-c", "{}['x']"])()
