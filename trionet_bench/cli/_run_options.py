"""The options of ``run`` and ``compare``."""

import functools
from dataclasses import dataclass, fields
from typing import Any

import click

from trionet_bench.api.settings import RunSettings
from trionet_bench.cli._options import (
    Command,
    data_root_option,
    json_option,
    only_option,
    reports_option,
    results_option,
)
from trionet_bench.limits import MOST_JOBS


@dataclass(frozen=True)
class RunOptions(RunSettings):
    """The options of a run as they were given: its settings, and what is printed."""

    dry_run: bool = False
    verbose: bool = False
    machine: str | None = None
    as_json: bool = False


class _Jobs(click.ParamType[int | None]):
    name = "jobs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value in (None, "auto"):
            return None
        return click.IntRange(1, MOST_JOBS).convert(value, param, ctx)


_OPTIONS = (
    results_option,
    reports_option,
    data_root_option,
    only_option,
    click.option(
        "--jobs",
        type=_Jobs(),
        default="auto",
        show_default=True,
        metavar="N|auto",
        envvar="TRIONET_BENCH_JOBS",
        help="Cells at a time. auto: one for each GPU, else one for each core, each with one thread.",
    ),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        envvar="TRIONET_BENCH_DEVICE",
        help="auto, cpu, cuda, cuda:1, mps.",
    ),
    click.option(
        "--devices",
        type=click.IntRange(1, MOST_JOBS),
        envvar="TRIONET_BENCH_DEVICES",
        help="How many GPUs to use.  [default: all]",
    ),
    click.option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        envvar="TRIONET_BENCH_EXECUTOR",
        help="ray: on the cluster at RAY_ADDRESS; its machines must share the results folder.",
    ),
    click.option(
        "--minutes",
        type=click.FloatRange(min=0, min_open=True),
        help="End after so long and report what is there; the same command goes on from that.",
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be run and what it costs; run nothing."),
    click.option("--verbose", is_flag=True, help="With --dry-run: every job and every part of the cost."),
    click.option(
        "--as",
        "machine",
        metavar="MACHINE",
        help="With --dry-run: estimate for another machine, such as '8x H100' or A100.",
    ),
    click.option("--retry-failed", is_flag=True, help="Also run cells whose own computation failed before."),
    click.option(
        "--retries",
        type=click.IntRange(0, 100),
        default=2,
        show_default=True,
        help="Of a job that failed through a full disk, lack of memory or a killed worker.",
    ),
    click.option("--force", is_flag=True, help="Run finished cells again; earlier records are kept beside the new."),
    click.option(
        "--log",
        "loggers",
        multiple=True,
        type=click.Choice(["csv", "tensorboard", "wandb"]),
        help="Where metrics go as they come: metrics.csv or tensorboard/ in the report's folder, or Weights & Biases.",
    ),
    click.option("--no-report", "write_report", flag_value=False, default=True, help="Write no report."),
    json_option,
)


def run_options(command: Command) -> Command:
    """Adds the options of a run to a command, which gets them as one ``RunOptions`` named ``options``."""

    @functools.wraps(command)
    def with_options(**values: Any) -> object:  # click converts the values by the types of their options
        of_run = {field.name: values.pop(field.name) for field in fields(RunOptions)}
        return command(options=RunOptions(**of_run), **values)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options  # type: ignore[return-value]
