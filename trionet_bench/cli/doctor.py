"""``trionet-bench doctor``: environment, devices, what is missing and how to get it."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from trionet_bench.cli._options import data_root_option, json_option, reports_option, results_option
from trionet_bench.terminal import echo

_MARKS = {"ok": "ok     ", "absent": "absent ", "problem": "PROBLEM"}


@click.command()
@results_option
@reports_option
@data_root_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, results: Path, reports: Path, data_root: Path, as_json: bool) -> None:
    """What this machine and installation can do, what is missing, and how to get it.

    Exit code 1 where something keeps the program from working.
    """
    from trionet_bench.integrity.doctor import examine  # looks at torch, which --help must not load

    findings = examine(results, reports, data_root)
    if as_json:
        echo(json.dumps({"schema": 1, "findings": [asdict(finding) for finding in findings]}))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            advice = f"  ->  {finding.advice}" if finding.advice else ""
            echo(f"{_MARKS[finding.state]} {finding.name:{width}}  {finding.detail}{advice}")
    ctx.exit(1 if any(finding.state == "problem" for finding in findings) else 0)
