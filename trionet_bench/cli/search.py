"""``trionet-bench search``: one phase of a suite's cells at a time, in this process."""

from pathlib import Path
from typing import Literal

import click

from trionet_bench.cli._options import Command, data_root_option, only_option, results_option, suite_argument

_DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")


@click.group(epilog="Several processes: torchrun --nproc-per-node 8 -m trionet_bench search supernet SUITE")
def search() -> None:
    """One phase at a time, for those who drive the pipeline themselves.

    Each phase works on the open cells of a suite, or on those that --only names, in this very process, or in all that
    torchrun starts. Results lie in the same store as those of `run`, which goes on from them.
    """


def _step(
    name: Literal["supernet", "evolve", "retrain"],
    suite: str,
    results: Path,
    data_root: Path,
    only: str | None,
    device: str,
) -> None:
    from trionet_bench.cli.actions.search import run_step  # torch loads here, not for --help

    run_step(name, suite, results, data_root, only, device)


def _options(command: Command) -> Command:
    """Add the options of every step."""
    for option in (_DEVICE, only_option, data_root_option, results_option, suite_argument):
        command = option(command)
    return command


@search.command()
@_options
def supernet(suite: str, results: Path, data_root: Path, only: str | None, device: str) -> None:
    """Train the supernets that the cells need."""
    _step("supernet", suite, results, data_root, only, device)


@search.command()
@_options
def evolve(suite: str, results: Path, data_root: Path, only: str | None, device: str) -> None:
    """Search in trained supernets; the scores are kept for `retrain` and `run`."""
    _step("evolve", suite, results, data_root, only, device)


@search.command()
@_options
def retrain(suite: str, results: Path, data_root: Path, only: str | None, device: str) -> None:
    """Train the networks that the search selected, test them and write their records."""
    _step("retrain", suite, results, data_root, only, device)
