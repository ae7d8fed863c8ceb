"""``trionet-bench data``: which data sets are known and present, whether their images decode, and downloads."""

from pathlib import Path

import click

from trionet_bench.cli._options import SuiteName, data_root_option, json_option
from trionet_bench.errors import DataError


@click.group()
def data() -> None:
    """Known data sets: list, check, fetch. Only `data fetch` downloads."""


@data.command("list")
@click.argument("name", required=False)
@click.option("--suite", type=SuiteName(), metavar="SUITE", help="The data sets that a suite needs, opened.")
@click.option("--long", "in_full", is_flag=True, help="Also licence, citation, and what is missing or how to get it.")
@data_root_option
@json_option
def list_sets(name: str | None, suite: str | None, in_full: bool, data_root: Path, as_json: bool) -> None:
    """The sets that are known by name, how they stand, and the kinds of sources; with NAME, one set.

    A set is here, partial (some of its files are missing), wrong (a folder of its name holds something else), or can be
    got by `data fetch` or by hand. `data check` opens a set, and says whether all of it is whole.
    """
    from trionet_bench.cli.actions.data_list import print_needed, print_sets  # parsing libraries load here

    if suite is not None:
        print_needed(suite, data_root, as_json)
    else:
        print_sets(name, data_root, in_full, as_json)


@data.command()
@click.argument("source")
@data_root_option
@click.option("--workers", type=click.IntRange(min=1), help="Threads that decode.  [default: all cores]")
@click.option(
    "--full", is_flag=True, help="Also read every byte anew; a set above 20 GB is from then on known by all of them."
)
@json_option
def check(source: str, data_root: Path, workers: int | None, full: bool, as_json: bool) -> None:
    """Open SOURCE, a URI or a known name, and decode every image of it. Exit code 4 if it is not sound."""
    from trionet_bench.cli.actions.data_check import check_source  # numpy loads here, not for --help

    if not check_source(source, data_root, workers, full, as_json):
        raise click.exceptions.Exit(DataError.exit_code)


@data.command()
@click.argument("name")
@data_root_option
@json_option
def fetch(name: str, data_root: Path, as_json: bool) -> None:
    """Download NAME into the data root: a known name, hf:NAME@REVISION, or imagenet:PATH to unpack its archives."""
    from trionet_bench.cli.actions.data_fetch import fetch_named  # numpy loads here, not for --help

    fetch_named(name, data_root, as_json)
