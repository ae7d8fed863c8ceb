"""How a study uses the machine: parallel cells or one at a time on more threads, how busy the cores are, and what the
harness adds to the time of a cell.

The study is a part of the shipped quickstart, run by the program in a new process. ``--jobs auto`` puts one cell with
one thread on each core; the reference is one cell at a time with a thread for each core.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from trionet_bench.benchmarks.finished import CODE
from trionet_bench.benchmarks.measure import (
    Document,
    OnCase,
    Row,
    Target,
    at_least,
    at_most,
    compared,
    document,
    line_of,
)
from trionet_bench.benchmarks.opened_suites import Keys, write_suite
from trionet_bench.benchmarks.processes import run_watched
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.execution.executors.local import LocalExecutor, available_cores, worker_context
from trionet_bench.execution.plan import make_plan
from trionet_bench.execution.scheduler import Watcher, run_plan
from trionet_bench.execution.worker import Outcome, RunRequest
from trionet_bench.records.store import iter_records
from trionet_bench.suite.specification import load_suite
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.timing import threads
from trionet_bench.training.platform import Resources
from trionet_bench.training.recipe import QUICK

BUSY, OVERHEAD = 0.9, 0.01
EPOCHS = 2  # of the fifteen that quickstart trains
STUDY: Keys = {
    "name": "busy",
    "extends": "quickstart",
    "recipe": {"base": "quick", "epochs": EPOCHS, "warmup_epochs": 0, "finetune_epochs": 0},
    "seeds": [0, 1],
}
SINGLE = ("conv", "axial")
TINY: Keys = {
    "name": "tiny",
    "extends": "quickstart",
    "datasets": {"digits": {"source": "synthetic:texture?n=100"}},
    "recipe": {"base": "quick", "epochs": 1, "warmup_epochs": 0},
}


def measure(setting: Setting, on_case: OnCase) -> Document:
    """Two cases: parallel cells beside one at a time; a tiny cell through the runner beside a direct call."""
    rows = []
    with threads(1):
        side_by_side = _jobs(setting.count(2))
        rows.append(side_by_side)
        on_case(1, 2, f"{line_of(side_by_side)}, {side_by_side['busy']:.0%} busy")
        rows.append(_harness(setting.count(15), side_by_side["cell_s"]))
        on_case(2, 2, f"{line_of(rows[-1])}, {rows[-1]['overhead']:.2%} of a cell")
    return document("suite", torch.device("cpu"), available_cores(), rows, targets(rows))


def targets(rows: Sequence[Row]) -> list[Target]:
    """A bound for each case, and one for the use of the cores."""
    busy = [row["busy"] for row in rows if row.get("busy") is not None]
    return [
        *at_most("cells side by side over one at a time", 1, [row["ratio"] for row in rows if "busy" in row]),
        *at_least("share of the cores that is busy while two cells are under way", BUSY, busy),
        *at_most("harness over a cell's time", OVERHEAD, [row["overhead"] for row in rows if "overhead" in row]),
    ]


def _jobs(samples: int) -> Row:
    cores = available_cores()
    auto: list[float] = []
    single: list[float] = []
    busy: list[float] = []
    busy_throughout: list[float] = []
    cells: list[float] = []
    with TemporaryDirectory() as folder:
        here = Path(folder)
        suite = str(write_suite(here, STUDY))
        for number in range(samples):
            for jobs in ("auto", "1"):
                results = here / f"{number}-{jobs}"
                run = run_watched(_command(suite, results, jobs))
                (auto if jobs == "auto" else single).append(1000 * run.seconds)
                if jobs == "auto":
                    busy += run.busy(cores, at_once=min(2, cores))
                    busy_throughout += run.busy(cores, at_once=0)
                    trained = [record.timings["retrain_s"] for record in iter_records(results)]
                    cells += [seconds * QUICK.epochs / EPOCHS for seconds in trained]
    facts = {"case": f"{len(SINGLE) * len(STUDY['seeds'])} cells side by side", "cores": cores}
    facts |= {"busy": min(busy, default=None), "busy_from_start_to_end": min(busy_throughout, default=None)}
    return compared({**facts, "cell_s": min(cells)}, auto, "one at a time, all threads", single)


def _command(suite: str, results: Path, jobs: str) -> list[str]:
    command = [sys.executable, "-m", "trionet_bench", "run", suite, "--results", str(results), "--no-report"]
    return [*command, "--jobs", jobs, "--only", "model=[ca]*", "--device", "cpu"]  # conv, axial


def _harness(samples: int, cell_s: float) -> Row:
    """A tiny cell from its start to its record on disk, beside a direct call of its system; and the difference over the
    time of a cell of quickstart.
    """
    with TemporaryDirectory() as folder:
        here = Path(folder)
        suite = load_suite(str(write_suite(here, {**TINY, "seeds": [*range(samples + 1)]})))
        plan = make_plan(suite, here / "results", None, lambda name: name.model == "conv")
        watcher = _Stopwatch()
        request = RunRequest(plan.results, suite.fidelity, CODE, "")
        context = worker_context([SYSTEMS.get("standalone")])
        run_plan(plan, LocalExecutor(request, [Resources("cpu", 1)], context), request, watcher)
        direct = []
        for planned in plan.cells:
            assert planned.job is not None  # its data set is generated
            place = here / "direct" / planned.folder.name
            place.mkdir(parents=True)
            start = time.perf_counter()
            SYSTEMS.get("standalone").runner.run_cell(planned.job.cell, RunContext(place))
            direct.append(1000 * (time.perf_counter() - start))
    row = compared({"case": "tiny cell through the runner"}, watcher.spans[1:], "a direct call", direct[1:])
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
