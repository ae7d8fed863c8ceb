"""Runs what is missing of a suite, writes its report, prints its state."""

import json
from pathlib import Path

from trionet_bench.api.running import carry_out, open_session, workers_of
from trionet_bench.cli._run_options import RunOptions
from trionet_bench.cli.actions._estimate import estimate_lines, part_rows
from trionet_bench.cli.actions._resolution import resolution_json, resolution_lines
from trionet_bench.cli.actions._suite_state import failures, headline, outcome_json
from trionet_bench.execution.devices import parse_machine
from trionet_bench.execution.jobs import PhaseJob
from trionet_bench.execution.session import DATA_MISSING, DONE, Session
from trionet_bench.suite.changes import Changes, load_changed
from trionet_bench.suite.specification import Suite
from trionet_bench.terminal import echo, print_table
from trionet_bench.units import counted


def run_named(
    suite: str,
    seeds: int | None,
    epochs: int | None,
    settings: tuple[str, ...],
    name: str | None,
    options: RunOptions,
) -> int:
    """Run a suite file or shipped suite, changed as of ``Changes``; returns the exit code."""
    return run_suite(load_changed(suite, Changes(seeds, epochs, settings, name)), options)


def run_suite(suite: Suite, options: RunOptions, with_answer: bool = True) -> int:
    """Run what is missing of a suite, write its report, print its state; returns the exit code.

    Args:
        with_answer: also print the sentences that the report opens with.
    """
    session = open_session(suite, options)
    if options.dry_run:
        _print_dry_run(session, options)
        return DATA_MISSING if session.plan.missing else DONE
    done = carry_out(session, options)
    plan = done.session.plan
    if options.as_json:
        report = str(done.page) if done.page else None
        echo(json.dumps({**outcome_json(plan), "ran": done.cells, "report": report}))
    else:
        echo("\n".join([headline(plan), *failures(plan)]))
        if options.minutes is not None and plan.counts()["missing"]:
            echo(f"Stopped after {options.minutes:g} minutes; the same command goes on from there.")
        if done.page:
            if with_answer:
                _print_answer(plan.folder)
            echo(f"Report: {done.page}")
    return done.session.exit_code


def _print_answer(folder: Path) -> None:
    from trionet_bench.analysis.results import load_by_task  # pandas, which only those need who have results
    from trionet_bench.reporting.answer import answer

    for results in load_by_task([folder]):
        for sentence in answer(results):
            echo(sentence)


def _print_dry_run(session: Session, options: RunOptions) -> None:
    machine = parse_machine(options.machine) if options.machine else None
    dry = session.dry_run(workers_of(options), machine)
    suite, folder = session.plan.suite, session.plan.folder
    if options.as_json:
        value = {
            "would_run": [job.label for job in dry.jobs],
            "estimated_seconds": dry.seconds,
            "estimate": dry.estimate.to_dict() if dry.estimate else None,
            "workers": dry.workers,
            **resolution_json(suite),
        }
        echo(json.dumps({**outcome_json(session.plan), **value}))
        return
    echo(headline(session.plan))
    phases = sum(isinstance(job, PhaseJob) for job in dry.jobs)
    if dry.jobs:
        hint = "" if options.verbose else "; --verbose lists them"
        echo(f"would run {counted(len(dry.jobs) - phases, 'cell')} and {counted(phases, 'shared phase')}{hint}")
    if options.verbose:
        for job in dry.jobs:
            echo(f"would run {job.label}")
        if dry.estimate and dry.estimate.parts:
            print_table(*part_rows(dry.estimate))
    for line in estimate_lines(dry.estimate, dry.workers, dry.seconds, machine) if dry.estimate else ():
        echo(line)
    for line in resolution_lines(suite, folder):
        echo(line)
