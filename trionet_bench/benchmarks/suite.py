"""How a study uses the machine: cells side by side or one after the other on more threads, how busy the cores are, and
what the harness adds to a cell.

The study is a piece of the shipped quickstart, run by the program itself in a process of its own. ``--jobs auto`` puts
one cell with one thread on each core; the reference is one cell at a time with a thread for each core.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from trionet_bench.benchmarks.finished import CODE
from trionet_bench.benchmarks.measure import (
    Document,
    Setting,
    Target,
    Tell,
    at_least,
    at_most,
    compared,
    document,
    line_of,
)
from trionet_bench.benchmarks.study import write_suite
from trionet_bench.execution.executors.local import LocalExecutor, available_cores
from trionet_bench.execution.jobs import cell_job
from trionet_bench.execution.plan import make_plan
from trionet_bench.execution.scheduler import Orders, Watcher, make_task, run_plan
from trionet_bench.execution.worker import Desk, Outcome
from trionet_bench.records.store import iter_records
from trionet_bench.suite.specification import load_suite
from trionet_bench.systems import load_system
from trionet_bench.systems.cell import Workplace
from trionet_bench.timing import threads
from trionet_bench.training.recipe import QUICK

BUSY, OVERHEAD = 0.9, 0.01
EPOCHS = 2  # of the fifteen that quickstart trains
STUDY: dict[str, Any] = {
    "name": "busy",
    "extends": "quickstart",
    "recipe": {"base": "quick", "epochs": EPOCHS, "warmup_epochs": 0, "finetune_epochs": 0},
    "seeds": [0, 1],
}
SINGLE = ("conv", "axial")
TINY: dict[str, Any] = {
    "name": "tiny",
    "extends": "quickstart",
    "datasets": {"digits": {"source": "synthetic:texture?n=100"}},
    "recipe": {"base": "quick", "epochs": 1, "warmup_epochs": 0},
}
_TICK = 0.1


def measure(setting: Setting, tell: Tell) -> Document:
    """Two cases: cells side by side beside one at a time, a tiny cell through the runner beside the cell alone."""
    rows = []
    with threads(1):
        side_by_side = _jobs(setting.count(2))
        rows.append(side_by_side)
        tell(1, 2, f"{line_of(side_by_side)}, {side_by_side['busy']:.0%} busy")
        rows.append(_harness(setting.count(15), side_by_side["cell_s"]))
        tell(2, 2, f"{line_of(rows[-1])}, {rows[-1]['overhead']:.2%} of a cell")
    return document("suite", torch.device("cpu"), available_cores(), rows, targets(rows))


def targets(rows: Sequence[dict[str, Any]]) -> list[Target]:
    """What is promised of them."""
    busy = [row["busy"] for row in rows if row.get("busy") is not None]
    return [
        *at_most("cells side by side over one at a time", 1, [row["ratio"] for row in rows if "busy" in row]),
        *at_least("share of the cores that is busy while two cells are under way", BUSY, busy),
        *at_most("harness over a cell's time", OVERHEAD, [row["overhead"] for row in rows if "overhead" in row]),
    ]


def _jobs(samples: int) -> dict[str, Any]:
    cores = available_cores()
    auto: list[float] = []
    single: list[float] = []
    busy: list[float] = []
    whole: list[float] = []
    cells: list[float] = []
    with TemporaryDirectory() as folder:
        here = Path(folder)
        suite = str(write_suite(here, STUDY))
        for number in range(samples):
            for jobs in ("auto", "1"):
                results = here / f"{number}-{jobs}"
                run = _run_program(suite, results, jobs)
                (auto if jobs == "auto" else single).append(1000 * run.seconds)
                if jobs == "auto":
                    busy += run.busy(cores, at_once=min(2, cores))
                    whole += run.busy(cores, at_once=0)
                    trained = [record.timings["retrain_s"] for record in iter_records(results)]
                    cells += [seconds * QUICK.epochs / EPOCHS for seconds in trained]
    facts = {"case": f"{len(SINGLE) * len(STUDY['seeds'])} cells side by side", "cores": cores}
    facts |= {"busy": min(busy, default=None), "busy_from_start_to_end": min(whole, default=None)}
    return compared({**facts, "cell_s": min(cells)}, auto, "one at a time, all threads", single)


class _Run:
    """A program that ran: (time, seconds of processors, workers under way) about every tenth of a second."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float, int]] = []
        self.seconds = 0.0

    def busy(self, cores: int, at_once: int) -> list[float]:
        """Processor time over time and cores while at least so many workers were there; empty where unknown.

        What processes spent is not seen any more when they have ended and nobody is left who waited for them.
        """
        there = [point for point in self.points if point[2] >= at_once]
        if len(there) < 2 or there[-1][0] - there[0][0] < 10 * _TICK:
            return []
        spent = max(point[1] for point in there) - there[0][1]
        return [spent / (there[-1][0] - there[0][0]) / cores]


def _run_program(suite: str, results: Path, jobs: str) -> _Run:
    command = [sys.executable, "-m", "trionet_bench", "run", suite, "--results", str(results), "--no-report"]
    command += ["--jobs", jobs, "--only", "model=[ca]*", "--device", "cpu"]  # conv, axial
    run = _Run()
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(process.pid, run, over))
    watch.start()
    _, said = process.communicate()
    run.seconds = time.perf_counter() - start
    over.set()
    watch.join()
    if process.returncode:
        raise RuntimeError(f"the study ended with exit code {process.returncode}: {said[-500:]}")
    return run


def _watch(program: int, run: _Run, over: threading.Event) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    while not over.wait(_TICK):
        tree = [*_tree(program)]
        spent = sum(used for _, used in tree) / ticks
        run.points.append((time.perf_counter(), spent, sum(depth == 2 for depth, _ in tree)))


def _tree(program: int) -> Iterator[tuple[int, int]]:
    """(depth, clock ticks of its own and of its children that ended) of a process and those below it, on Linux.

    Workers are two below the program: a server forks them.
    """
    parents: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        number = int(path.parent.name)
        parents.setdefault(int(fields[1]), []).append(number)
        used[number] = sum(map(int, fields[11:15]))
    level, depth = [program], 0
    while level:
        for number in level:
            yield depth, used.get(number, 0)
        level, depth = [child for number in level for child in parents.get(number, ())], depth + 1


def _harness(samples: int, cell_s: float) -> dict[str, Any]:
    """A tiny cell from its start to its record on disk beside the cell's own function, and the difference over the time
    of a cell of quickstart.
    """
    orders = Orders(CODE, "")
    with TemporaryDirectory() as folder:
        here = Path(folder)
        suite = load_suite(str(write_suite(here, {**TINY, "seeds": [*range(samples + 1)]})))
        plan = make_plan(suite, here / "results", None, lambda name: name.model == "conv")
        watcher = _Stopwatch()
        run_plan(plan, LocalExecutor([Desk("cpu", 1)]), orders, watcher)
        alone = []
        for planned in plan.cells:
            task = make_task(plan, cell_job(planned), {}, orders)
            place = here / "alone" / planned.folder.name
            place.mkdir(parents=True)
            start = time.perf_counter()
            load_system(task.cell.system).run_cell(task.cell, Workplace(place))
            alone.append(1000 * (time.perf_counter() - start))
    row = compared({"case": "tiny cell through the runner"}, watcher.spans[1:], "the cell alone", alone[1:])
    return {**row, "cell_s": cell_s, "overhead": (row["median_ms"] - row["reference_ms"]) / 1000 / cell_s}


class _Stopwatch(Watcher):
    """Milliseconds from the start of each job to its end, one job at a time."""

    def __init__(self) -> None:
        self.spans: list[float] = []
        self.start = 0.0

    def began(self, label: str) -> None:
        self.start = time.perf_counter()

    def ended(self, label: str, outcome: Outcome, left: int, seconds_left: float | None) -> None:
        if outcome.failure is not None:
            raise RuntimeError(f"{label} failed: {outcome.failure.message}")
        self.spans.append(1000 * (time.perf_counter() - self.start))
