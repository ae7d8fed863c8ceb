"""Start-up times of what trains nothing: help, the state of a large suite, a report, a network's cost, loading one.

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
TORCH = [sys.executable, "-c", "import torch"]
LOAD = [sys.executable, "-c", "import trionet_bench; trionet_bench.load"]  # all that a network is loaded with
LIMITS = {"--help": 0.3, "status": 1.0, "run, all done": 2.0, "report": 10.0}  # seconds
OVER_TORCH = 4 / 3  # of the time of importing torch


def measure(setting: Setting, on_case: OnCase) -> Document:
    """A case for each command."""
    with TemporaryDirectory() as folder:
        here = Path(folder)
        suite = str(write_suite(here, {"name": "large", "extends": "quickstart", "seeds": [*range(CELLS // 5)]}))
        results = str(here / "results")
        cells = {"status": write_finished(suite, Path(results)), "report": write_finished("quickstart", Path(results))}
        cells["run, all done"] = cells["status"]
        bench = [sys.executable, "-m", "trionet_bench"]
        empty, importing = ("an empty Python program", PYTHON), ("importing torch", TORCH)
        commands = {
            "--help": ([*bench, "--help"], *empty),
            "status": ([*bench, "status", suite, "--results", results], *empty),
            "run, all done": ([*bench, "run", suite, "--results", results, "--no-report"], *empty),
            "report": ([*bench, "report", "quickstart", "--results", results, "--reports", str(here)], *empty),
            "profile resnet50": ([*bench, "profile", "resnet50"], *importing),
            "load": (LOAD, *importing),
        }
        rows: list[Row] = []
        for name, (command, reference, least) in commands.items():
            steps = {"ours": program(command), "least": program(least)}
            times = in_turns(steps, setting.count(5), torch.device("cpu"))
            facts = {"case": name, "cells": cells.get(name)}
            rows.append(compared(facts, times["ours"], reference, times["least"]))
            on_case(len(rows), len(commands), line_of(rows[-1]))
    return document("start", torch.device("cpu"), torch.get_num_threads(), rows, targets(rows))


def targets(rows: Sequence[Row]) -> list[Target]:
    """A bound for each command: in seconds, or over the time of importing torch."""
    bounds = []
    for row in rows:
        what = f"{row['case']} on {row['cells']} cells" if row["cells"] else row["case"]
        if row["case"] in LIMITS:
            bounds += at_most(f"{what}: seconds", LIMITS[row["case"]], [row["median_ms"] / 1000])
        else:
            bounds += at_most(f"{what}: time over importing torch", OVER_TORCH, [row["ratio"]])
    return bounds


def program(command: Sequence[str]) -> Callable[[], None]:
    """A function that runs a program; RuntimeError, with the end of its output, where its exit code is not 0."""

    def run() -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command[1:])} ended with exit code {done.returncode}: {done.stderr[-500:]}")

    return run
