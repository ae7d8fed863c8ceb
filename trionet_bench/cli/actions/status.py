"""Prints the state of the cells of a suite."""

import json
from pathlib import Path

from trionet_bench.cli.actions._suite_state import failures, grid, headline, outcome_json
from trionet_bench.execution.declaration import as_begun, begun_file
from trionet_bench.execution.plan import make_plan, parse_only
from trionet_bench.suite.specification import load_suite
from trionet_bench.terminal import echo


def show_status(suite: str, results: Path, data_root: Path, only: str | None, as_json: bool) -> None:
    """Print the state of the cells that ``only`` selects; data sets that are missing go to stderr.

    Args:
        suite: a suite file, the name of a shipped suite, or the name or folder of a study in ``results``.
    """
    checked = as_begun(load_suite(begun_file(suite, results)), results)
    plan = make_plan(checked, results, data_root, parse_only(only, checked) if only else None)
    if as_json:
        echo(json.dumps(outcome_json(plan)))
        return
    echo("\n".join([headline(plan), *grid(plan), *failures(plan)]))
    for error in plan.missing:
        echo(str(error), err=True)
