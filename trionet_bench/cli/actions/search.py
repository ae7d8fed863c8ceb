"""Runs one phase of the cells of a suite in this process."""

import sys
from pathlib import Path

from trionet_bench.execution.executors.inline import Step, carry_out_step
from trionet_bench.execution.plan import check_cells
from trionet_bench.execution.session import Session
from trionet_bench.execution.worker import RunRequest
from trionet_bench.integrity.provenance import code_state, command_line
from trionet_bench.progress import Progress
from trionet_bench.suite.specification import load_suite
from trionet_bench.terminal import echo


def run_step(name: Step, suite: str, results: Path, data_root: Path, only: str | None, device: str) -> None:
    """Carry out one step of the open cells that ``only`` selects, and print what was done.

    DataError where a data set is missing, UsageError where a cell cannot be carried out.
    """
    session = Session.open(load_suite(suite), results.resolve(), data_root, only, retry_failed=True)
    plan = session.without_unsound_data().plan
    plan.check_data()
    check_cells(cell.job for cell in plan.cells if cell.job is not None)
    request = RunRequest(plan.results, plan.suite.fidelity, code_state(), command_line(sys.argv[1:]))
    with Progress(interval=30) as progress:
        task = progress.task(f"{plan.suite.name} {name}", 1)
        done = carry_out_step(plan, name, request, device, task)
    for label in done:
        echo(f"{name}: {label}")
    if not done:
        echo(f"{name}: nothing to do")
