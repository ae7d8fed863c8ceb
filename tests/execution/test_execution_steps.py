"""Steps that people drive themselves, beside other runners on the same results folder."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.fake_runs import CODE, essence, run

from trionet_bench.execution.executors.inline import Step, carry_out_step
from trionet_bench.execution.jobs import Job
from trionet_bench.execution.plan import make_plan
from trionet_bench.execution.scheduler import open_cells
from trionet_bench.execution.worker import RunRequest
from trionet_bench.records.claims import Claims
from trionet_bench.records.layout import CLAIMS
from trionet_bench.suite.specification import load_suite

Write = Callable[..., Path]


def step(name: Step, path: Path, results: Path, waits: Callable[[], None]) -> list[str]:
    """The labels of what a step did; ``waits`` is called whenever it waits for another runner."""
    plan = make_plan(load_suite(path), results)
    request = RunRequest(plan.results, plan.suite.fidelity, CODE, "test")

    def report(done: int, total: int, message: str) -> None:
        if message.startswith("another runner does"):
            waits()

    return carry_out_step(plan, name, request, "cpu", report)


def never() -> None:
    raise AssertionError("nobody else is at work")


def traced(models: dict[str, dict[str, object]], tmp_path: Path) -> dict[str, dict[str, object]]:
    return {name: {**options, "trace": str(tmp_path / "trace")} for name, options in models.items()}


def test_a_step_takes_claims_and_gives_them_back(suite_file: Write, tmp_path: Path):
    path = suite_file(traced({"a": {"shared": True}}, tmp_path), seeds=[0])
    seen: list[list[str]] = []
    plan = make_plan(load_suite(path), tmp_path / "results")
    request = RunRequest(plan.results, plan.suite.fidelity, CODE, "test")

    def report(done: int, total: int, message: str) -> None:
        seen.append(sorted(claim.name for claim in (plan.folder / CLAIMS).iterdir()))

    carry_out_step(plan, "supernet", request, "cpu", report)
    (phase,) = plan.phases.values()
    assert seen == [[f"{phase.claim}.0"]] * 2  # once an epoch
    assert list((plan.folder / CLAIMS).iterdir()) == []


def test_a_step_does_what_another_runner_left_undone(suite_file: Write, tmp_path: Path):
    path = suite_file(traced({"a": {"shared": True}}, tmp_path))
    results = tmp_path / "results"
    plan = make_plan(load_suite(path), results)
    held = next(iter(plan.phases.values())).claim
    with Claims(plan.folder / CLAIMS) as other:
        assert other.take(held)
        labels = step("supernet", path, results, waits=lambda: other.release(held))
    assert len(labels) == len(plan.phases) == 2
    assert labels[1] == next(iter(plan.phases.values())).label  # the one that was held came last
    assert len(step("retrain", path, results, never)) == 2
    lines = (tmp_path / "trace").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 2 * 3 * 2  # two epochs and an end, of two phases and two cells


@pytest.mark.parametrize("name", ["supernet", "retrain"])
def test_a_step_does_nothing_again_that_a_run_has_finished_meanwhile(suite_file: Write, tmp_path: Path, name: Step):
    path = suite_file(traced({"a": {"shared": True}, "b": {}}, tmp_path))
    alone, results = tmp_path / "alone", tmp_path / "results"
    run(path, alone)
    (tmp_path / "trace").unlink()
    if name == "retrain":
        step("supernet", path, results, never)
    plan = make_plan(load_suite(path), results)
    open_jobs: list[Job] = [*plan.phases.values()] if name == "supernet" else open_cells(plan)
    assert len(open_jobs) == (2 if name == "supernet" else 4)
    with Claims(plan.folder / CLAIMS) as other:
        for job in open_jobs:
            assert other.take(job.claim)

        def finish() -> None:
            for job in open_jobs:
                other.release(job.claim)
            run(path, results)

        assert step(name, path, results, finish) == []
    assert essence(results) == essence(alone)
    lines = (tmp_path / "trace").read_text().splitlines()
    assert len(lines) == len(set(lines)) == (2 + 4) * 3
