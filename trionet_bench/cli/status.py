"""``trionet-bench status``: how the cells of a suite stand."""

import json
from pathlib import Path

import click

from trionet_bench.cli._options import data_root_option, json_option, only_option, results_option, suite_argument


@click.command()
@suite_argument
@results_option
@data_root_option
@only_option
@json_option
def status(suite: str, results: Path, data_root: Path, only: str | None, as_json: bool) -> None:
    """Which cells are complete, failed, missing, or stale (made by an earlier form of the suite or of its data)."""
    from trionet_bench.cli._showing import failures, grid, headline, outcome_json
    from trionet_bench.execution.plan import make_plan, parse_only
    from trionet_bench.suite.specification import load_suite

    checked = load_suite(suite)
    plan = make_plan(checked, results, data_root, parse_only(only, checked) if only else None)
    if as_json:
        click.echo(json.dumps(outcome_json(plan)))
        return
    click.echo("\n".join([headline(plan), *grid(plan), *failures(plan)]))
    for error in plan.absent.values():
        click.echo(str(error), err=True)
