"""``trionet-bench verify``: is a results folder what it says?"""

import json
from dataclasses import asdict
from pathlib import Path

import click

from trionet_bench.cli._options import data_root_option, json_option
from trionet_bench.terminal import echo
from trionet_bench.units import counted


@click.command()
@click.argument("results", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path("results"))
@click.option("--data", is_flag=True, help="Also read the data sets anew and compare them with the records.")
@data_root_option
@json_option
@click.pass_context
def verify(ctx: click.Context, results: Path, data: bool, data_root: Path, as_json: bool) -> None:
    """Recompute keys, hashes, counts and accuracies of a results folder, and name every fault.

    RESULTS is a folder of suites, one suite's folder, or any folder in it. Exit code 1 where there is a fault. A suite
    with a file no-weights.txt was passed on without the weights of its networks; what is verified without them is.
    """
    from trionet_bench.integrity.verify import verify as check  # numpy loads here, not for --help

    verdict = check(results.resolve(), data_root, data)
    if as_json:
        echo(json.dumps({"schema": 1, **asdict(verdict)}))
    else:
        for fault in verdict.faults:
            echo(f"{fault.path}: {fault.message}")
        looked = f"{counted(verdict.records, 'record')} and {counted(verdict.phases, 'shared phase')} verified"
        left_out = f"; {verdict.without_weights} without weights" if verdict.without_weights else ""
        echo(f"{looked}: {counted(len(verdict.faults), 'fault') if verdict.faults else 'no fault'}{left_out}")
    ctx.exit(1 if verdict.faults else 0)
