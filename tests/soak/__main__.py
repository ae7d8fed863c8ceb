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
from pkgutil import resolve_name
from typing import NamedTuple

import click

from tests.soak.findings import Outcome, error_text, told
from trionet_bench.integrity.provenance import code_state
from trionet_bench.processor import described


class Part(NamedTuple):
    """A part of the soak.

    ``carry_out``: names its function, ``MODULE:FUNCTION``, imported when it is its turn, since some load torch.
    ``usual``, ``quick``: its size, and that of --quick. ``unit``: what a size counts.
    """

    carry_out: str
    usual: int
    quick: int
    unit: str


PARTS = {
    "kills": Part("tests.soak.kills:kills", 100, 3, "SIGKILLs"),
    "faults": Part("tests.soak.faults:faults", 100_000, 6, "Calls at most that fail, of each scenario"),
    "inputs": Part("tests.soak.inputs:inputs", 20_000, 400, "Inputs"),
    "concurrent": Part("tests.soak.concurrent:concurrent", 10, 1, "Rounds of three runs"),
    "full-disk": Part("tests.soak.full_disk:full_disk", 20, 3, "Sizes of the disk"),
    "memory": Part("tests.soak.memory:memory", 60, 1, "Minutes"),
}


def _size_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for the size of each part."""
    for name, part in reversed(PARTS.items()):
        help_text = f"{part.unit} of part {name}.  [default: {part.usual}, with --quick {part.quick}]"
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
        part = PARTS[name]
        asked = sizes[name.replace("-", "_")]
        size = asked if asked is not None else part.quick if quick else part.usual
        below = place / name
        shutil.rmtree(below, ignore_errors=True)
        below.mkdir(parents=True)
        began, outcome = time.monotonic(), Outcome()
        try:
            resolve_name(part.carry_out)(below, size, seed, outcome)
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
