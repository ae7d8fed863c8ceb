"""Runs of suites of the fake system in this process, and what their results have in common."""

from pathlib import Path
from typing import Any

from trionet_bench.execution.executors.local import LocalExecutor, plan_resources, worker_context
from trionet_bench.execution.plan import Plan, make_plan
from trionet_bench.execution.scheduler import Watcher, run_plan
from trionet_bench.execution.worker import RunRequest
from trionet_bench.records.record import Code
from trionet_bench.records.store import iter_records
from trionet_bench.suite.specification import load_suite
from trionet_bench.systems.registry import SYSTEMS

CODE = Code(version="0", commit=None, dirty=None)


def run(path: Path, results: Path, jobs: int = 2, watcher: Watcher | None = None, **asked: Any) -> Plan:
    plan = make_plan(load_suite(path), results)
    request = RunRequest(plan.results, plan.suite.fidelity, CODE, "test", **asked)
    executor = LocalExecutor(request, plan_resources(jobs, "cpu", None), worker_context([SYSTEMS.get("fake")]))
    return run_plan(plan, executor, request, watcher or Watcher())


def essence(results: Path) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Of each record what must not depend on how the run went."""
    return {
        (r.dataset, r.model, r.budget, r.seed): (r.key, r.status, r.metrics, r.artifacts, r.data["split"])
        for r in iter_records(results)
    }
