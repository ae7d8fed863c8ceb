"""Start-up times of commands that train nothing: help, the state of a large suite, a network's cost.

Every sample is a new process, as a person starts it. The reference is a lower bound: an empty Python program, or
one that imports the libraries that the command needs.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from trionet_bench.benchmarks.finished import write_finished
from trionet_bench.benchmarks.measure import (
    Document,
    OnCase,
    Row,
    Target,
    at_most,
    compared,
    document,
    line_of,
)
from trionet_bench.benchmarks.opened_suites import write_suite
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.timing import in_turns

CELLS = 1000
PYTHON = [sys.executable, "-c", "pass"]
TORCH = [sys.executable, "-c", "import torch, torchvision"]
LIMITS = {"--help": 0.3, "status": 1.0, "run, all done": 2.0, "profile resnet50": 4.0}  # seconds


def measure(setting: Setting, on_case: OnCase) -> Document:
    """A case for each command."""
    with TemporaryDirectory() as folder:
        here = Path(folder)
        suite = str(write_suite(here, {"name": "large", "extends": "quickstart", "seeds": [*range(CELLS // 5)]}))
        results = str(here / "results")
        cells = write_finished(suite, Path(results))
        commands = {
            "--help": (["--help"], "an empty Python program", PYTHON),
            "status": (["status", suite, "--results", results], "an empty Python program", PYTHON),
            "run, all done": (["run", suite, "--results", results, "--no-report"], "an empty Python program", PYTHON),
            "profile resnet50": (["profile", "resnet50"], "importing torch and torchvision", TORCH),
        }
        rows: list[Row] = []
        for name, (arguments, reference, least) in commands.items():
            ours = program([sys.executable, "-m", "trionet_bench", *arguments])
            times = in_turns({"ours": ours, "least": program(least)}, setting.count(5), torch.device("cpu"))
            facts = {"case": name, "cells": cells if "large" in " ".join(arguments) else None}
            rows.append(compared(facts, times["ours"], reference, times["least"]))
            on_case(len(rows), len(commands), line_of(rows[-1]))
    return document("start", torch.device("cpu"), torch.get_num_threads(), rows, targets(rows))


def targets(rows: Sequence[Row]) -> list[Target]:
    """A bound in seconds for each command."""
    bounds = []
    for row in rows:
        what = f"{row['case']} on {row['cells']} cells" if row["cells"] else row["case"]
        bounds += at_most(f"{what}: seconds", LIMITS[row["case"]], [row["median_ms"] / 1000])
    return bounds


def program(command: Sequence[str]) -> Callable[[], None]:
    """A function that runs a program; RuntimeError, with the end of its output, where its exit code is not 0."""

    def run() -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command[1:])} ended with exit code {done.returncode}: {done.stderr[-500:]}")

    return run
