"""How long a person waits for an answer that needs no training: help, the state of a large suite, a network's cost.

Every sample is a program of its own, as a person starts it; the reference is the least that could be: Python alone, or
Python with the libraries that the command needs.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from trionet_bench.benchmarks.finished import write_finished
from trionet_bench.benchmarks.measure import Document, Setting, Target, Tell, at_most, compared, document, line_of
from trionet_bench.benchmarks.study import write_suite
from trionet_bench.timing import in_turns

CELLS = 1000
PYTHON = [sys.executable, "-c", "pass"]
TORCH = [sys.executable, "-c", "import torch, torchvision"]
LIMITS = {"--help": 0.3, "status": 1.0, "run, all done": 2.0, "profile resnet50": 4.0}  # seconds


def measure(setting: Setting, tell: Tell) -> Document:
    """A case for each command."""
    with TemporaryDirectory() as folder:
        here = Path(folder)
        suite = str(write_suite(here, {"name": "large", "extends": "quickstart", "seeds": [*range(CELLS // 5)]}))
        results = str(here / "results")
        cells = write_finished(suite, Path(results))
        commands = {
            "--help": (["--help"], "Python alone", PYTHON),
            "status": (["status", suite, "--results", results], "Python alone", PYTHON),
            "run, all done": (["run", suite, "--results", results, "--no-report"], "Python alone", PYTHON),
            "profile resnet50": (["profile", "resnet50"], "Python with torch and torchvision", TORCH),
        }
        rows: list[dict[str, Any]] = []
        for name, (arguments, reference, least) in commands.items():
            ours = program([sys.executable, "-m", "trionet_bench", *arguments])
            times = in_turns({"ours": ours, "least": program(least)}, setting.count(5), torch.device("cpu"))
            facts = {"case": name, "cells": cells if "large" in " ".join(arguments) else None}
            rows.append(compared(facts, times["ours"], reference, times["least"]))
            tell(len(rows), len(commands), line_of(rows[-1]))
    return document("start", torch.device("cpu"), torch.get_num_threads(), rows, targets(rows))


def targets(rows: Sequence[dict[str, Any]]) -> list[Target]:
    """A bound in seconds for each command."""
    found = []
    for row in rows:
        what = f"{row['case']} on {row['cells']} cells" if row["cells"] else row["case"]
        found += at_most(f"{what}: seconds", LIMITS[row["case"]], [row["median_ms"] / 1000])
    return found


def program(command: Sequence[str]) -> Callable[[], None]:
    """Something that runs a program to its end; RuntimeError, with what it said, where that is a bad one."""

    def run() -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command[1:])} ended with exit code {done.returncode}: {done.stderr[-500:]}")

    return run
