"""Where the time of a whole study goes: the shipped quickstart, or another suite, run by the program in a new process.

Time is that of workers: their number times the seconds from start to end. A part has what records and phases say of
it; ``jobs besides`` is the rest of the jobs, as loading images and storing results; ``no job`` is when a worker had
none: start, plan, waiting for a supernet, report. MACs are those that ``--dry-run`` estimates, where networks count at
their budget. The peak is that of one worker's threads.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from trionet_bench.benchmarks.measure import Document, OnCase, Row, Target, at_least, document, line_of
from trionet_bench.benchmarks.peak import products, rates
from trionet_bench.benchmarks.processes import run_watched
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.execution.estimate import work_of
from trionet_bench.execution.executors.local import plan_resources
from trionet_bench.execution.plan import make_plan
from trionet_bench.records.layout import PHASES
from trionet_bench.records.phase import PhaseRecord, read_phase
from trionet_bench.records.record import Record
from trionet_bench.records.store import iter_records
from trionet_bench.suite.specification import load_suite
from trionet_bench.timing import in_turns, threads
from trionet_bench.training.device import resolve_device

SHARE = 0.15  # of the float32 peak, from start to end
SAMPLES = 9  # of the matrix product, before and after the study
_OF_PHASE = "phase_s"  # the timing that every phase has of all its parts together


def measure(setting: Setting, on_case: OnCase, suite: str = "quickstart", data_root: Path = Path("data")) -> Document:
    """A row for each part of the study, then one for all of it.

    Args:
        suite: a file, or the name of a shipped suite; all its cells are run, in a temporary folder.
        data_root: folder of the named data sets.
    """
    workers = plan_resources(None, setting.device, None)
    device = resolve_device(workers[0].device)
    with TemporaryDirectory() as folder, threads(workers[0].threads) as used:
        here = Path(folder)
        plan = make_plan(load_suite(suite), here / "results", data_root)
        plan.check_data()
        macs: dict[str, float] = defaultdict(float)
        for _, works in work_of(plan, [cell.job.cell for cell in plan.cells if cell.job is not None])[0]:
            for work in works:
                macs[work.what] += work.total_macs
        peak = in_turns(products(device), setting.count(SAMPLES), device)
        command = [sys.executable, "-m", "trionet_bench", "run", suite, "--device", setting.device]
        places = {"--results": plan.results, "--reports": here / "reports", "--data-root": data_root}
        ran = run_watched([*command, *(str(part) for option in places.items() for part in option)])
        after = in_turns(products(device), setting.count(SAMPLES), device)
        phases = [phase for path in (plan.folder / PHASES).glob("*") if (phase := read_phase(path)) is not None]
        seconds = seconds_by_part([*iter_records(plan.folder)], phases, len(workers) * ran.seconds)
    rows = rows_of(seconds, macs)
    for done, row in enumerate(rows, start=1):
        row |= {"device": str(device), "workers": len(workers), "wall_s": ran.seconds}
        if row["macs"]:
            row |= rates(row["macs"], row["median_ms"], {name: peak[name] + after[name] for name in peak}, device)
        on_case(done, len(rows), line_of(row))
    return document("study", device, used, rows, targets(rows))


def seconds_by_part(records: Iterable[Record], phases: Iterable[PhaseRecord], all_s: float) -> dict[str, float]:
    """Seconds of workers by part; all of them together are ``all_s``.

    What a phase has measured, the record of a cell that needs it repeats, and it counts once.
    """
    parts: dict[str, float] = defaultdict(float)
    jobs = 0.0
    for phase in phases:
        jobs += phase.timings[_OF_PHASE]
        for name, seconds in phase.timings.items():
            if name != _OF_PHASE:
                parts[name.removesuffix("_s")] += seconds
    of_phases = set(parts)
    for record in records:
        jobs += (datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.started)).total_seconds()
        for name, seconds in record.timings.items():
            part = name.removesuffix("_s")
            if not (record.inputs and part in of_phases):
                parts[part] += seconds
    # Records have their start and end in whole seconds.
    return {**parts, "jobs besides": max(0.0, jobs - sum(parts.values())), "no job": max(0.0, all_s - jobs)}


def rows_of(seconds: Mapping[str, float], macs: Mapping[str, float]) -> list[Row]:
    """A row for each part, the longest first, and one for all."""
    total = sum(seconds.values())
    parts = sorted(seconds.items(), key=lambda part: -part[1])
    rows: list[Row] = [{"case": name, "median_ms": 1000 * spent, "macs": macs.get(name, 0.0)} for name, spent in parts]
    rows.append({"case": "all", "median_ms": 1000 * total, "macs": sum(macs.values())})
    return [row | {"share_of_time": row["median_ms"] / 1000 / total} for row in rows]


def targets(rows: Iterable[Row]) -> list[Target]:
    """The share of the peak from start to end."""
    found = [row["share_of_float32_peak"] for row in rows if row["case"] == "all"]
    return at_least("a study's MACs over the float32 peak, from start to end", SHARE, found)
