"""``trionet-bench run``: the missing cells of a suite, then its report."""

import click

from trionet_bench.cli._options import precision_option, set_option, study_name, suite_argument, with_precision
from trionet_bench.cli._run_options import RunOptions, run_options


@click.command(epilog="SUITE is a file or one of `trionet-bench suite list`. Example: trionet-bench run quickstart")
@suite_argument
@click.option("--seeds", type=click.IntRange(min=1), help="How many.  [default: those of the suite]")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Of each network; warm-up, fine-tuning and supernets change in proportion.",
)
@precision_option
@set_option
@click.option("--name", metavar="NAME", callback=study_name, help="Of the changed study.  [default: from the changes]")
@run_options
@click.pass_context
def run(
    ctx: click.Context,
    suite: str,
    seeds: int | None,
    epochs: int | None,
    precision: str | None,
    settings: tuple[str, ...],
    name: str | None,
    options: RunOptions,
) -> None:
    """Run the missing cells of a suite, then write its report.

    What is finished is never run again; a run that was interrupted goes on where it stood. Nothing is downloaded.
    With --epochs, --precision, --set or fewer --seeds it is another study, with results of its own.
    """
    from trionet_bench.cli.actions.run import run_named  # not for --help

    ctx.exit(run_named(suite, seeds, epochs, with_precision(settings, precision), name, options))
