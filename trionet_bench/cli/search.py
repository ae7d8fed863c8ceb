"""``trionet-bench search``: one phase of a suite's cells at a time, in this process."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trionet_bench.cli._options import Command, data_root_option, only_option, results_option, suite_argument

if TYPE_CHECKING:
    from trionet_bench.execution.executors.inline import Step

_DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")


@click.group(epilog="Several processes: torchrun --nproc-per-node 8 -m trionet_bench search supernet SUITE")
def search() -> None:
    """One phase at a time, for those who drive the pipeline themselves.

    Each phase works on the open cells of a suite, or on those that --only names, in this very process, or in all that
    torchrun starts. Results lie in the same store as those of `run`, which goes on from them.
    """


def _step(name: "Step", suite: str, results: Path, data_root: Path, only: str | None, device: str) -> None:
    from trionet_bench.execution.executors.inline import carry_out_step  # torch loads here, not for --help
    from trionet_bench.execution.plan import check_cells, make_plan, parse_only
    from trionet_bench.execution.worker import RunRequest
    from trionet_bench.integrity.provenance import code_state, command_line
    from trionet_bench.progress import Progress
    from trionet_bench.suite.specification import load_suite

    loaded = load_suite(suite)
    plan = make_plan(loaded, results.resolve(), data_root, parse_only(only, loaded) if only else None)
    for error in plan.absent.values():
        raise error
    check_cells(cell.job for cell in plan.cells if cell.job is not None)
    request = RunRequest(plan.results, loaded.fidelity, code_state(), command_line(sys.argv[1:]))
    with Progress(interval=30) as progress:
        task = progress.task(f"{loaded.name} {name}", 1)
        done = carry_out_step(plan, name, request, device, task)
    for label in done:
        click.echo(f"{name}: {label}")
    if not done:
        click.echo(f"{name}: nothing to do")


def _options(command: Command) -> Command:
    """What every step takes."""
    for option in (_DEVICE, only_option, data_root_option, results_option, suite_argument):
        command = option(command)
    return command


@search.command()
@_options
def supernet(**values: Any) -> None:
    """Train the supernets that the cells hang from."""
    _step("supernet", **values)


@search.command()
@_options
def evolve(**values: Any) -> None:
    """Search in trained supernets; the scores are kept for `retrain` and `run`."""
    _step("evolve", **values)


@search.command()
@_options
def retrain(**values: Any) -> None:
    """Train what was found, test it and leave its record."""
    _step("retrain", **values)
