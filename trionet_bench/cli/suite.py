"""``trionet-bench suite``: shipped suites, checks of suite files, and their schema."""

import json
from pathlib import Path

import click

from trionet_bench.cli._options import data_root_option, json_option, results_option, suite_argument
from trionet_bench.terminal import echo


@click.group()
def suite() -> None:
    """Shipped suites; check a suite file; its JSON Schema."""


@suite.command("list")
@json_option
def list_suites(as_json: bool) -> None:
    """The suites that can be run by name, with what each answers."""
    from trionet_bench.cli.actions.suites import list_shipped  # parsing libraries load here, not for --help

    list_shipped(as_json)


@suite.command()
@suite_argument
@json_option
def show(suite: str, as_json: bool) -> None:
    """The text of a suite; with --json, what it resolves to."""
    from trionet_bench.cli.actions.suites import show_suite  # not for --help

    show_suite(suite, as_json)


@suite.command()
@suite_argument
@results_option
@data_root_option
@json_option
def validate(suite: str, results: Path, data_root: Path, as_json: bool) -> None:
    """Check a suite in full: every key and name, the data sets, and that each model can be built under each budget.

    Also says what a study of its size can decide, in points where earlier records show how noisy one run is.

    Exit code 2 for a fault in the suite, 4 for missing data. Nothing is trained.
    """
    from trionet_bench.cli.actions.validate import validate_suite  # not for --help

    validate_suite(suite, results, data_root, as_json)


@suite.command()
def schema() -> None:
    """The JSON Schema of suite files, for editors."""
    from trionet_bench.suite.schema import suite_schema  # not for --help

    echo(json.dumps(suite_schema(), indent=1))
