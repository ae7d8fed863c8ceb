"""The time left of a run: foreseen before the first job is done, then scaled by what jobs take."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trionet_bench.errors import UsageError
from trionet_bench.execution import estimate
from trionet_bench.execution.durations import Durations
from trionet_bench.execution.foresight import Foresight
from trionet_bench.execution.plan import Plan, make_plan
from trionet_bench.suite.specification import load_suite
from trionet_bench.training.platform import Resources

Write = Callable[..., Path]
ONE = Resources("cpu", 1)


@pytest.fixture
def plan(suite_file: Write, tmp_path: Path) -> Plan:
    return make_plan(load_suite(suite_file({"a": {}, "b": {}}, seeds=[0])), tmp_path)


def foreseen(plan: Plan, seconds: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> Foresight:
    """A foresight that is ready."""
    by_model = {cell.job.claim: seconds[cell.name.model] for cell in plan.cells if cell.job}
    monkeypatch.setattr(
        estimate, "seconds_of", lambda jobs, resources: {job.claim: by_model[job.claim] for job in jobs}
    )
    foresight = Foresight([cell.job for cell in plan.cells if cell.job], ONE)
    foresight.begin()
    deadline = time.monotonic() + 30
    while not foresight.seconds and time.monotonic() < deadline:
        time.sleep(0.01)
    return foresight


def test_the_time_left_is_known_before_the_first_job_is_done(plan: Plan, monkeypatch: pytest.MonkeyPatch):
    jobs = {cell.name.model: cell.job for cell in plan.cells if cell.job}
    assert Durations(plan).left(jobs.values(), slots=1) is None
    durations = Durations(plan, foreseen(plan, {"a": 30.0, "b": 50.0}, monkeypatch))
    assert durations.left(jobs.values(), slots=2) == 40.0
    assert durations.left(jobs.values(), slots=1, spent={jobs["a"].claim: 10.0}) == 70.0
    assert durations.left(jobs.values(), slots=1, spent={jobs["a"].claim: 99.0}) == 53.0  # a tenth is left
    durations.learn(jobs["a"], 60.0)  # twice of what was foreseen, so b will take twice as long too
    assert durations.left([jobs["b"]], slots=1) == 100.0


def test_what_cannot_be_foreseen_stops_nothing(plan: Plan, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def refuse(jobs: object, resources: object) -> dict[str, float]:
        asked.append(jobs)
        raise UsageError("no network fits")

    monkeypatch.setattr(estimate, "seconds_of", refuse)
    foresight = Foresight([], ONE)
    foresight.begin()
    deadline = time.monotonic() + 30
    while not asked and time.monotonic() < deadline:
        time.sleep(0.01)
    assert asked == [()]
    assert foresight.seconds == {}
