"""``trionet-bench run``: the missing cells of a suite, then its report."""

import click

from trionet_bench.cli._options import suite_argument
from trionet_bench.cli._run_options import RunOptions, run_options


@click.command(epilog="SUITE is a file or one of `trionet-bench suite list`. Example: trionet-bench run quickstart")
@suite_argument
@run_options
@click.pass_context
def run(ctx: click.Context, suite: str, options: RunOptions) -> None:
    """Run the missing cells of a suite, then write its report.

    What is finished is never run again; a run that was interrupted goes on where it stood. Nothing is downloaded.
    """
    from trionet_bench.cli.actions.run import run_named  # not for --help

    ctx.exit(run_named(suite, options))
