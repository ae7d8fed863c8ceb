"""Runs what is missing of a suite, writes its report, prints its state."""

import json
import sys

from trionet_bench.caching import cache_folder
from trionet_bench.cli._run_options import RunOptions
from trionet_bench.cli.actions._estimate import estimate_lines
from trionet_bench.cli.actions._suite_state import failures, headline, outcome_json
from trionet_bench.cli.actions._watching import ProgressWatcher
from trionet_bench.execution.session import DATA_MISSING, DONE, Session, Workers
from trionet_bench.integrity.provenance import code_state, command_line
from trionet_bench.progress import Progress
from trionet_bench.reporting.refresh import refresh_report
from trionet_bench.suite.specification import Suite, load_suite
from trionet_bench.terminal import echo
from trionet_bench.units import counted


def run_named(suite: str, options: RunOptions) -> int:
    """Run a suite file or shipped suite; returns the exit code."""
    return run_suite(load_suite(suite), options)


def run_suite(suite: Suite, options: RunOptions) -> int:
    """Run what is missing of a suite, write its report, print its state; returns the exit code."""
    session = Session.open(
        suite, options.results, options.data_root, options.only, options.retry_failed, options.force
    ).without_unsound_data()
    for name, (error, cells) in session.missing_data().items():
        echo(f"{error}\n{counted(cells, 'cell')} of data set {name} cannot be run without it.", err=True)
    for name, warnings in session.warnings.items():
        for warning in warnings:
            echo(f"data set {name}: {warning}", err=True)
    workers = Workers(options.jobs, options.device, options.devices, options.executor)
    if options.dry_run:
        _print_dry_run(session, workers, options.as_json)
        return DATA_MISSING if session.plan.absent else DONE
    ran = len(session.cells)
    if ran:
        session = _run(session, workers)
    else:
        session.redeclare()
    plan = session.plan
    report = None if options.no_report else refresh_report(plan.folder, options.reports / plan.suite.name)
    if options.as_json:
        echo(json.dumps({**outcome_json(plan), "ran": ran, "report": str(report) if report else None}))
    else:
        echo("\n".join([headline(plan), *failures(plan)]))
        if report:
            echo(f"Report: {report}")
    return session.exit_code


def _run(session: Session, workers: Workers) -> Session:
    with Progress() as progress:
        watcher = ProgressWatcher(progress, session.plan.suite.name, len(session.jobs))
        return session.run(workers, watcher, code_state(), command_line(sys.argv[1:]), cache_folder())


def _print_dry_run(session: Session, workers: Workers, as_json: bool) -> None:
    dry = session.dry_run(workers)
    if as_json:
        value = {
            "would_run": [job.label for job in dry.jobs],
            "estimated_seconds": dry.seconds,
            "estimate": dry.estimate.to_dict() if dry.estimate else None,
            "workers": dry.workers,
        }
        echo(json.dumps({**outcome_json(session.plan), **value}))
        return
    echo(headline(session.plan))
    for job in dry.jobs:
        echo(f"would run {job.label}")
    for line in estimate_lines(dry.estimate, dry.workers, dry.seconds) if dry.estimate else ():
        echo(line)
