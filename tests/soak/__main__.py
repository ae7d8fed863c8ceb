"""``python -m tests.soak``: the parts that are asked for, one after the other."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from tests.soak.findings import Outcome, error_text, told
from trionet_bench.integrity.provenance import code_state
from trionet_bench.processor import described


def _kills(home: Path, size: int, seed: int, outcome: Outcome) -> None:
    from tests.soak.kills import kills

    kills(home, size, seed, outcome)


def _faults(home: Path, size: int, seed: int, outcome: Outcome) -> None:
    from tests.soak.faults import faults

    faults(home, size, seed, outcome)


def _inputs(home: Path, size: int, seed: int, outcome: Outcome) -> None:
    from tests.soak.inputs import inputs

    inputs(home, size, seed, outcome)


def _concurrent(home: Path, size: int, seed: int, outcome: Outcome) -> None:
    from tests.soak.concurrent import concurrent

    concurrent(home, size, seed, outcome)


def _full_disk(home: Path, size: int, seed: int, outcome: Outcome) -> None:
    from tests.soak.full_disk import full_disk

    full_disk(home, size, seed, outcome)


def _memory(home: Path, size: int, seed: int, outcome: Outcome) -> None:
    from tests.soak.memory import memory

    memory(home, size, seed, outcome)


# By name: what carries it out, its usual size, that of --quick, and what its size counts.
PARTS: dict[str, tuple[Callable[[Path, int, int, Outcome], None], int, int, str]] = {
    "kills": (_kills, 100, 3, "SIGKILLs"),
    "faults": (_faults, 100_000, 6, "Calls at most that fail, of each scenario"),
    "inputs": (_inputs, 20_000, 400, "Inputs"),
    "concurrent": (_concurrent, 10, 1, "Rounds of three runs"),
    "full-disk": (_full_disk, 20, 3, "Sizes of the disk"),
    "memory": (_memory, 60, 1, "Minutes"),
}


def _size_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for the size of each part."""
    for name, (_, usual, quick, unit) in reversed(PARTS.items()):
        help_text = f"{unit} of part {name}.  [default: {usual}, with --quick {quick}]"
        command = click.option(f"--{name}", type=click.IntRange(0), help=help_text)(command)
    return command


@click.command()
@click.option("--part", "parts", multiple=True, type=click.Choice([*PARTS]), help="Only this; may be repeated.")
@_size_options
@click.option("--quick", is_flag=True, help="A small run of each part, in minutes.")
@click.option("--seed", default=0, show_default=True, help="Of every random choice.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("soak.json"), show_default=True, help="Results.")
@click.option("--home", type=click.Path(path_type=Path), help="Folder to work in, kept; else a temporary one.")
def main(parts: tuple[str, ...], quick: bool, seed: int, out: Path, home: Path | None, **sizes: int | None) -> None:
    """Attack the program for hours; exit code 1 where something did not hold.

    Results of parts that are not run now stay in the file. Ctrl-C and SIGTERM end a part, of which
    what it did until then counts.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    place = home.resolve() if home else Path(tempfile.mkdtemp(prefix="soak-"))
    found = 0
    for name in parts or PARTS:
        carry_out, usual, small, _ = PARTS[name]
        asked = sizes[name.replace("-", "_")]
        size = asked if asked is not None else small if quick else usual
        below = place / name
        shutil.rmtree(below, ignore_errors=True)
        below.mkdir(parents=True)
        began, outcome = time.monotonic(), Outcome()
        try:
            carry_out(below, size, seed, outcome)
        except KeyboardInterrupt:
            outcome.figures["interrupted"] = "yes"
        except Exception as error:  # the other parts are carried out
            outcome.found(name, f"the part itself failed: {error_text(error)}")
        seconds = time.monotonic() - began
        found += len(outcome.findings)
        _keep(out, name, {"size": size, "seed": seed, "seconds": round(seconds, 1), **outcome.to_dict()})
        state = f"skipped: {outcome.skipped}" if outcome.skipped else f"{len(outcome.findings)} findings"
        click.echo(f"{name:<11}{seconds / 60:7.1f} min  {state}; {told(outcome.figures)}")
        for finding in outcome.findings[:20]:
            click.echo(f"  {finding.where}: {finding.what}")
    if home is None and not found:
        shutil.rmtree(place)
    sys.exit(1 if found else 0)


def _keep(out: Path, name: str, result: dict[str, object]) -> None:
    """Put the result of a part into the file, beside those of others."""
    kept = json.loads(out.read_text())["parts"] if out.exists() else {}
    machine = {
        "processor": described("model name"),
        "cores": len(os.sched_getaffinity(0)),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": code_state().model_dump(),
    }
    document = {"schema": 1, "parts": {**kept, name: {**machine, **result}}}
    out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
