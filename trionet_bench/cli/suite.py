"""``trionet-bench suite``: shipped suites, checks of suite files, and their schema."""

import json
from pathlib import Path
from typing import Any

import click

from trionet_bench.cli._options import data_root_option, json_option, suite_argument


@click.group()
def suite() -> None:
    """Shipped suites; check a suite file; its JSON Schema."""


@suite.command("list")
@json_option
def list_suites(as_json: bool) -> None:
    """The suites that can be run by name, with what each answers."""
    from trionet_bench.suite.specification import load_suite, shipped_suites

    rows = [{"name": name, **_facts(load_suite(path))} for name, path in shipped_suites().items()]
    if as_json:
        click.echo(json.dumps({"schema": 1, "suites": rows}))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row['name']:{width}}  {row['cells']:4} cells  {row['title']}")


@suite.command()
@suite_argument
@json_option
def show(suite: str, as_json: bool) -> None:
    """The text of a suite; with --json, what it resolves to."""
    from trionet_bench.suite.specification import load_suite

    checked = load_suite(suite)
    click.echo(json.dumps({"schema": 1, **_resolved(checked)}) if as_json else checked.document.text.rstrip())


@suite.command()
@suite_argument
@data_root_option
@json_option
def validate(suite: str, data_root: Path, as_json: bool) -> None:
    """Check a suite in full: every key and name, the data sets, and that each model can be built under each budget.

    Exit code 2 for a fault in the suite, 4 for missing data. Nothing is trained.
    """
    from trionet_bench.execution.plan import check_cells, make_plan
    from trionet_bench.suite.specification import load_suite

    checked = load_suite(suite)
    plan = make_plan(checked, Path("results"), data_root)
    check_cells(cell.job for cell in plan.cells if cell.job is not None)
    for error in plan.absent.values():
        raise error
    if as_json:
        click.echo(json.dumps({"schema": 1, "valid": True, "name": checked.name, **_facts(checked)}))
    else:
        click.echo(f"{checked.document.path} is a valid suite of {len(plan.cells)} cells.")


@suite.command()
def schema() -> None:
    """The JSON Schema of suite files, for editors."""
    from trionet_bench.suite.schema import suite_schema

    click.echo(json.dumps(suite_schema(), indent=1))


def _facts(checked: Any) -> dict[str, Any]:
    from trionet_bench.execution.plan import cell_names

    return {
        "title": checked.title,
        "datasets": list(checked.datasets),
        "models": list(checked.models),
        "budgets": list(checked.budgets),
        "seeds": list(checked.seeds),
        "cells": len(list(cell_names(checked))),
    }


def _resolved(checked: Any) -> dict[str, Any]:
    """Every name of a suite replaced by what it stands for."""
    return {
        "name": checked.name,
        **_facts(checked),
        "fidelity": checked.fidelity,
        "datasets": {name: entry.model_dump(mode="json") for name, entry in checked.datasets.items()},
        "models": {
            name: {
                "system": model.system,
                "options": model.options.model_dump(mode="json"),
                "recipe": model.recipe.model_dump(mode="json"),
                "space": model.space_at(model.resolution(None)).to_dict(),
            }
            for name, model in checked.models.items()
        },
        "comparisons": [comparison.model_dump(mode="json") for comparison in checked.comparisons],
    }
