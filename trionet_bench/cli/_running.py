"""What ``run`` and ``compare`` do alike: carry a suite out, write its report, say how it went."""

import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from trionet_bench.caching import cache_folder
from trionet_bench.cli._options import data_root_option, json_option, only_option, reports_option, results_option
from trionet_bench.units import counted

if TYPE_CHECKING:
    from trionet_bench.execution.plan import Plan
    from trionet_bench.execution.session import Session, Workers
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
    executor: Literal["local", "ray"]
    dry_run: bool
    retry_failed: bool
    force: bool
    no_report: bool
    as_json: bool

    @property
    def workers(self) -> "Workers":
        """Where jobs are carried out."""
        from trionet_bench.execution.session import Workers  # not for --help

        return Workers(self.jobs, self.device, self.devices, self.executor)


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
    from trionet_bench.execution.session import DATA_MISSING, DONE, Session

    session = Session.open(suite, options.results, options.data_root, options.only, options.retry_failed, options.force)
    for name, (error, cells) in session.missing_data().items():
        click.echo(f"{error}\n{counted(cells, 'cell')} of data set {name} cannot be run without it.", err=True)
    if options.dry_run:
        _print_dry_run(session, options)
        return DATA_MISSING if session.plan.absent else DONE
    ran = len(session.cells)
    if ran:
        session = _run(session, options)
    else:
        session.redeclare()
    plan = session.plan
    report = None if options.no_report else _report(plan, options.reports)
    if options.as_json:
        click.echo(json.dumps({**outcome_json(plan), "ran": ran, "report": str(report) if report else None}))
    else:
        click.echo("\n".join([headline(plan), *failures(plan)]))
        if report:
            click.echo(f"Report: {report}")
    return session.exit_code


def _run(session: "Session", options: RunOptions) -> "Session":
    from trionet_bench.cli._watching import ProgressWatcher
    from trionet_bench.integrity.provenance import code_state, command_line
    from trionet_bench.progress import Progress

    with Progress() as progress:
        watcher = ProgressWatcher(progress, session.plan.suite.name, len(session.jobs))
        return session.run(options.workers, watcher, code_state(), command_line(sys.argv[1:]), cache_folder())


def _print_dry_run(session: "Session", options: RunOptions) -> None:
    """What a run would do, and what that costs."""
    from trionet_bench.cli._estimate import estimate_lines
    from trionet_bench.cli._showing import headline, outcome_json

    dry = session.dry_run(options.workers)
    if options.as_json:
        value = {
            "would_run": [job.label for job in dry.jobs],
            "estimated_seconds": dry.seconds,
            "estimate": dry.estimate.to_dict() if dry.estimate else None,
            "workers": dry.workers,
        }
        click.echo(json.dumps({**outcome_json(session.plan), **value}))
        return
    click.echo(headline(session.plan))
    for job in dry.jobs:
        click.echo(f"would run {job.label}")
    for line in estimate_lines(dry.estimate, dry.workers, dry.seconds) if dry.estimate else ():
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
