"""Checks a suite in full, with its data sets and networks."""

import json
from pathlib import Path

from trionet_bench.cli.actions._resolution import resolution_json, resolution_lines
from trionet_bench.cli.actions.suites import suite_facts
from trionet_bench.execution.plan import check_cells, make_plan
from trionet_bench.suite.specification import load_suite
from trionet_bench.terminal import echo


def validate_suite(suite: str, results: Path, data_root: Path, as_json: bool) -> None:
    """Print that a suite is valid, and what it can decide, with the noise of earlier records in ``results``.

    UsageError for a fault in it, DataError where a data set is missing.
    """
    checked = load_suite(suite)
    plan = make_plan(checked, results, data_root)
    check_cells(cell.job for cell in plan.cells if cell.job is not None)
    plan.check_data()
    if as_json:
        facts = suite_facts(checked) | resolution_json(checked)
        echo(json.dumps({"schema": 1, "valid": True, "name": checked.name, **facts}))
    else:
        echo(f"{checked.document.path} is a valid suite of {len(plan.cells)} cells.")
        for line in resolution_lines(checked, plan.folder):
            echo(line)
