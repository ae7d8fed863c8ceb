"""What ``run`` and ``compare`` do alike: carry a suite out, write its report, say how it went."""

import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trionet_bench.caching import cache_folder
from trionet_bench.cli._options import data_root_option, json_option, only_option, reports_option, results_option
from trionet_bench.units import counted

if TYPE_CHECKING:
    from trionet_bench.execution.executors.local import Executor
    from trionet_bench.execution.plan import Plan, PlannedCell
    from trionet_bench.suite.specification import Suite

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class RunOptions:
    """The options of a run as they were given."""

    results: Path
    reports: Path
    data_root: Path
    only: str | None
    jobs: int | None
    device: str
    devices: int | None
    executor: str
    dry_run: bool
    retry_failed: bool
    force: bool
    no_report: bool
    as_json: bool


class _Jobs(click.ParamType):
    name = "jobs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value in (None, "auto"):
            return None
        return click.IntRange(min=1).convert(value, param, ctx)


_OPTIONS = (
    results_option,
    reports_option,
    data_root_option,
    only_option,
    click.option(
        "--jobs",
        type=_Jobs(),
        default="auto",
        show_default=True,
        metavar="N|auto",
        envvar="TRIONET_BENCH_JOBS",
        help="Cells at a time. auto: one for each GPU, else one for each core, each with one thread.",
    ),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        envvar="TRIONET_BENCH_DEVICE",
        help="auto, cpu, cuda, cuda:1, mps.",
    ),
    click.option(
        "--devices",
        type=click.IntRange(min=1),
        envvar="TRIONET_BENCH_DEVICES",
        help="How many GPUs to use.  [default: all]",
    ),
    click.option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        envvar="TRIONET_BENCH_EXECUTOR",
        help="ray: on the cluster at RAY_ADDRESS; its machines must share the results folder.",
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be run and what it costs; run nothing."),
    click.option("--retry-failed", is_flag=True, help="Also run cells that failed before."),
    click.option("--force", is_flag=True, help="Run finished cells again; earlier records are kept beside the new."),
    click.option("--no-report", is_flag=True, help="Write no report."),
    json_option,
)


def run_options(command: Command) -> Command:
    """Adds the options of a run to a command, which gets them as one ``RunOptions`` named ``options``."""

    @functools.wraps(command)
    def with_options(**values: Any) -> Any:
        own = {field.name: values.pop(field.name) for field in fields(RunOptions)}
        return command(options=RunOptions(**own), **values)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options  # type: ignore[return-value]


def run_suite(suite: "Suite", options: RunOptions) -> int:
    """Carry out what is missing of a suite, write its report, print how it stands; returns the exit code."""
    from trionet_bench.cli._showing import failures, headline, outcome_json
    from trionet_bench.execution.plan import make_plan, parse_only
    from trionet_bench.execution.scheduler import declare, open_cells

    select = parse_only(options.only, suite) if options.only else None
    plan = make_plan(suite, options.results, options.data_root, select)
    for name, error in plan.absent.items():
        waiting = sum(cell.name.dataset == name and cell.state != "complete" for cell in plan.cells)
        click.echo(f"{error}\n{counted(waiting, 'cell')} of data set {name} cannot be run without it.", err=True)
    cells = open_cells(plan, options.retry_failed, options.force)
    if options.dry_run:
        _print_dry(plan, cells, options)
        return 4 if plan.absent else 0
    if cells:
        plan = _run(plan, cells, options)
    elif plan.folder.is_dir():
        declare(plan)
    report = None if options.no_report else _report(plan, options.reports)
    if options.as_json:
        click.echo(json.dumps({**outcome_json(plan), "ran": len(cells), "report": str(report) if report else None}))
    else:
        click.echo("\n".join([headline(plan), *failures(plan)]))
        if report:
            click.echo(f"Report: {report}")
    if plan.absent:
        return 4
    return 3 if plan.counts()["failed"] else 0


def _run(plan: "Plan", cells: "list[PlannedCell]", options: RunOptions) -> "Plan":
    from trionet_bench.cli._watching import ProgressWatcher
    from trionet_bench.execution.plan import check_cells
    from trionet_bench.execution.scheduler import Orders, open_phases, run_plan
    from trionet_bench.integrity.provenance import code_state, command_line
    from trionet_bench.progress import Progress

    check_cells(cells)
    orders = Orders(code_state(), command_line(sys.argv[1:]), options.retry_failed, options.force, cache_folder())
    executor = _executor(options)
    with Progress() as progress:
        jobs = len(cells) + len(open_phases(plan, cells))
        return run_plan(plan, executor, orders, ProgressWatcher(progress, plan.suite.name, jobs))


def _executor(options: RunOptions) -> "Executor":
    if options.executor == "ray":
        from trionet_bench.execution.executors.ray import RayExecutor

        return RayExecutor(options.jobs, options.device, options.devices)
    from trionet_bench.execution.executors.local import LocalExecutor, plan_desks

    return LocalExecutor(plan_desks(options.jobs, options.device, options.devices))


def _print_dry(plan: "Plan", cells: "list[PlannedCell]", options: RunOptions) -> None:
    """What a run would do, and what that comes to."""
    from trionet_bench.cli._estimate import estimate_lines
    from trionet_bench.cli._showing import headline, outcome_json
    from trionet_bench.execution.estimate import estimate
    from trionet_bench.execution.executors.local import plan_desks
    from trionet_bench.execution.jobs import Estimates, cell_job, phase_job
    from trionet_bench.execution.scheduler import open_phases

    jobs = [*map(phase_job, open_phases(plan, cells)), *map(cell_job, cells)]
    desks = plan_desks(options.jobs, options.device, options.devices)
    work = estimate(plan, cells, desks[0]) if jobs or plan.absent else None
    seconds = Estimates(plan).left(jobs, slots=1) if jobs else 0.0
    if options.as_json:
        value: dict[str, Any] = {"would_run": [job.label for job in jobs], "estimated_seconds": seconds}
        value |= {"estimate": work.to_dict() if work else None, "workers": len(desks)}
        click.echo(json.dumps({**outcome_json(plan), **value}))
        return
    click.echo(headline(plan))
    for job in jobs:
        click.echo(f"would run {job.label}")
    for line in estimate_lines(work, len(desks), seconds) if work else ():
        click.echo(line)


def _report(plan: "Plan", reports: Path) -> Path | None:
    """The report's page, written anew where a record or what the suite declares is younger; None where there is nothing
    to report.
    """
    from trionet_bench.records.layout import DECLARED, RECORD
    from trionet_bench.records.store import record_folders

    if not plan.counts()["complete"]:
        return None
    page = reports / plan.suite.name / "index.html"
    sources = [plan.folder / DECLARED, *(folder / RECORD for folder in record_folders(plan.folder))]
    youngest = max(path.stat().st_mtime for path in sources)
    if page.exists() and page.stat().st_mtime >= youngest:
        return page
    from trionet_bench.reporting.page import write_report  # pandas and matplotlib load only where a report is due

    return write_report([plan.folder], page.parent)
