"""``trionet-bench status``: how the cells of a suite stand."""

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
    from trionet_bench.cli.actions.status import show_status  # parsing libraries load here, not for --help

    show_status(suite, results, data_root, only, as_json)
