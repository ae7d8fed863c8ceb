"""Carries out what is open in a plan: shared phases first, then cells, wherever the executor puts them.

Every finished cell is on disk before anything else happens, so that the runner itself may be killed at any moment.
Cells are claimed on disk before they start, so that several runners can share a results folder.
"""

import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trionet_bench.execution.executors.local import Advanced, Ended, Executor
from trionet_bench.execution.jobs import Estimates, Job, cell_job, phase_job
from trionet_bench.execution.plan import CellName, Plan, PlannedCell, PlannedPhase, cell_names, stand_in_key
from trionet_bench.execution.worker import LOG, Outcome, Task, failed_record, utc_now
from trionet_bench.files import write_atomically
from trionet_bench.records.claims import Claims
from trionet_bench.records.layout import CLAIMS, DECLARED
from trionet_bench.records.phase import finished_content
from trionet_bench.records.record import Code, Environment, Failure, Input
from trionet_bench.records.store import (
    read_head,
    read_json,
    retire_record,
    write_json,
    write_record,
)

_ELSEWHERE = 1.0  # seconds until a job that another runner holds is looked at again
_TICK = 0.5


class Watcher:
    """Is told what happens; this one keeps it to itself."""

    def began(self, label: str) -> None:
        """A job has started here."""

    def advanced(self, label: str, done: int, total: int, message: str) -> None:
        """A job has come so far."""

    def ended(self, label: str, outcome: Outcome, left: int, seconds_left: float | None) -> None:
        """A job is over; ``left`` others are not."""

    def waits(self, labels: list[str]) -> None:
        """All that is left is being done by another runner."""


@dataclass(frozen=True)
class Orders:
    """How open cells are to be run.

    Args:
        retry_failed: cells that failed are open too.
        force: every cell of the plan is open; phases that are done stay.
        cache: folder for decoded images.
    """

    code: Code
    command: str
    retry_failed: bool = False
    force: bool = False
    cache: Path | None = None


def open_cells(plan: Plan, retry_failed: bool = False, force: bool = False) -> list[PlannedCell]:
    """The cells that a run would carry out; those whose data are missing cannot be."""
    states = {"missing", "stale"} | ({"failed"} if retry_failed else set())
    return [cell for cell in plan.cells if cell.cell is not None and (force or cell.state in states)]


def open_phases(plan: Plan, cells: list[PlannedCell]) -> list[PlannedPhase]:
    """The phases that must be carried out before ``cells`` can be."""
    needed = {phase.key for cell in cells for phase in cell.phases}
    return [phase for key, phase in plan.phases.items() if key in needed and phase.content is None]


def run_plan(plan: Plan, executor: Executor, orders: Orders, watcher: Watcher) -> Plan:
    """Carry out the open cells of ``plan``; returns it as it stands then. KeyboardInterrupt on SIGINT and SIGTERM.

    A failed cell leaves a failed record, and the others go on. A store error stops everything.
    """
    declare(plan)
    with _terminable(), Claims(plan.folder / CLAIMS) as claims:
        run = _Run(plan, executor, orders, watcher, claims)
        try:
            run.everything()
        finally:
            executor.stop()
    after = run.plan_after()
    declare(after)
    return after


def declare(plan: Plan) -> None:
    """Leave the suite beside its results: its text, and for the report what it declared. A declaration that stands
    there already is not touched, so that a report can tell whether it is out of date.
    """
    suite = plan.suite
    keys = {cell.name: {"key": cell.key} for cell in plan.cells if cell.key is not None}
    value: dict[str, Any] = {
        "schema": 1,
        "name": suite.name,
        "title": suite.title,
        "fidelity": suite.fidelity,
        "comparisons": [comparison.model_dump(mode="json") for comparison in suite.comparisons],
        "expected": [{**name._asdict(), **keys.get(name, {})} for name in cell_names(suite)],
    }
    write_atomically(plan.folder / "suite.yaml", suite.document.text)
    if read_json(plan.folder / DECLARED) != json.loads(json.dumps(value)):
        write_json(plan.folder / DECLARED, value)


def make_task(plan: Plan, job: Job, contents: Mapping[str, str], orders: Orders) -> Task:
    """What a worker needs to know for a job; ``contents`` has the content hash of every phase that the job needs."""
    item = job.item
    cell = item.cell
    assert cell is not None  # cells without data are not open
    inputs = {}
    for key in job.needs:
        phase = plan.phases[key]
        path = phase.folder.relative_to(plan.folder).as_posix()
        inputs[phase.phase.name] = Input(key=key, content=contents[key], path=path)
    is_phase = isinstance(item, PlannedPhase)
    return Task(
        cell=cell,
        phase=item.phase if isinstance(item, PlannedPhase) else None,
        results=plan.results,
        folder=job.folder,
        inputs=inputs,
        key=item.phase.key if isinstance(item, PlannedPhase) else cell.key({n: i.content for n, i in inputs.items()}),
        fidelity=plan.suite.fidelity,
        code=orders.code,
        command=orders.command,
        cache=orders.cache,
        fresh=orders.force and not is_phase,
    )


class _Run:
    """The state of one run: jobs that wait, jobs under way by folder, and what came of the others."""

    def __init__(self, plan: Plan, executor: Executor, orders: Orders, watcher: Watcher, claims: Claims) -> None:
        cells = open_cells(plan, orders.retry_failed, orders.force)
        self.plan, self.executor, self.orders, self.watcher, self.claims = plan, executor, orders, watcher, claims
        self.waiting = [*map(phase_job, open_phases(plan, cells)), *map(cell_job, cells)]
        self.under_way: dict[Path, Job] = {}
        self.not_before: dict[str, float] = {}
        self.contents = {key: phase.content for key, phase in plan.phases.items() if phase.content is not None}
        self.done: dict[CellName, PlannedCell] = {}
        self.estimates = Estimates(plan)
        self.environment: Environment | None = None

    def everything(self) -> None:
        """Until nothing is left to be done, here or elsewhere."""
        while self.waiting or self.under_way:
            self._start_what_can_be()
            if self.waiting and not self.under_way:
                self.watcher.waits([job.label for job in self.waiting])
            for event in self.executor.events(_TICK) if self.waiting or self.under_way else ():
                job = self.under_way[event.task.folder]
                if isinstance(event, Advanced):
                    self.watcher.advanced(job.label, event.done, event.total, event.message)
                else:
                    self._take_in(job, event)

    def plan_after(self) -> Plan:
        """The plan with what became of its cells and phases."""
        cells = tuple(self.done.get(cell.name, cell) for cell in self.plan.cells)
        phases = {key: replace(phase, content=self.contents.get(key)) for key, phase in self.plan.phases.items()}
        return replace(self.plan, cells=cells, phases=phases)

    def _start_what_can_be(self) -> None:
        now = time.monotonic()
        for job in self._able():
            if len(self.under_way) >= self.executor.slots:
                return
            if self.not_before.get(job.claim, now) > now:
                continue
            mine = self.claims.take(job.claim)
            if self._is_done_elsewhere(job):
                self.waiting.remove(job)
                if mine:
                    self.claims.release(job.claim)
            elif mine:
                self.waiting.remove(job)
                self.under_way[job.folder] = job
                self.watcher.began(job.label)
                self.executor.start(self._task(job))
            else:
                self.not_before[job.claim] = now + _ELSEWHERE

    def _able(self) -> list[Job]:
        """Jobs that could start now: phases before cells, since others wait for them, then what takes longest."""
        able = [job for job in self.waiting if all(key in self.contents for key in job.needs)]
        return sorted(able, key=lambda job: (isinstance(job.item, PlannedCell), -(self.estimates.of(job) or 0.0)))

    def _is_done_elsewhere(self, job: Job) -> bool:
        """Whether another runner has finished the job since it was planned; takes over what came of it."""
        if isinstance(job.item, PlannedPhase):
            content = finished_content(job.folder, job.item.phase.key, self._contents_of(job))
            if content is not None:
                self.contents[job.item.phase.key] = content
            return content is not None
        record, planned = read_head(job.folder), job.item.record
        if record is None or (planned and (planned.key, planned.started) == (record.key, record.started)):
            return False
        if record.key != self._task(job).key:
            return False
        self.done[job.item.name] = replace(job.item, state=record.status, key=record.key, record=record)
        return True

    def _contents_of(self, job: Job) -> dict[str, str]:
        return {self.plan.phases[key].phase.name: self.contents[key] for key in job.needs}

    def _task(self, job: Job) -> Task:
        return make_task(self.plan, job, self.contents, self.orders)

    def _take_in(self, job: Job, event: Ended) -> None:
        """What came of a job that was done here."""
        del self.under_way[job.folder]
        outcome = event.outcome
        if isinstance(outcome, str):
            outcome = Outcome(_death(outcome, job.folder), self._known_environment(), 0.0, {})
            if isinstance(job.item, PlannedCell):
                self._fail(job.item, event.task, outcome)
        self.environment = outcome.environment
        if isinstance(job.item, PlannedCell):
            record = read_head(job.folder)
            assert record is not None  # written before the outcome was told
            self.done[job.item.name] = replace(job.item, state=record.status, key=record.key, record=record)
        elif outcome.content is not None:
            self.contents[job.item.phase.key] = outcome.content
        else:
            self._fail_what_needs(job.item, outcome)
        if outcome.failure is None:
            self.estimates.learn(job, outcome.seconds)
        self.claims.release(job.claim)
        left = [*self.waiting, *self.under_way.values()]
        self.watcher.ended(job.label, outcome, len(left), self.estimates.left(left, self.executor.slots))

    def _fail_what_needs(self, phase: PlannedPhase, outcome: Outcome) -> None:
        """Cells that hang from a failed phase fail with its cause; so do phases after it, which leave nothing."""
        assert outcome.failure is not None
        message = f"its shared phase {phase.phase.name} failed: {outcome.failure.message}"
        inherited = replace(outcome, failure=outcome.failure.model_copy(update={"message": message}))
        for job in [job for job in self.waiting if phase.phase.key in job.needs]:
            self.waiting.remove(job)
            if isinstance(job.item, PlannedCell) and self.claims.take(job.claim):
                cell = job.item.cell
                assert cell is not None
                key = stand_in_key(cell, job.item.phases)
                bare = replace(job, needs=())
                self._fail(job.item, replace(self._task(bare), key=key), inherited)
                record = read_head(job.folder)
                self.done[job.item.name] = replace(job.item, state="failed", key=None, record=record)
                self.claims.release(job.claim)

    def _fail(self, cell: PlannedCell, task: Task, outcome: Outcome) -> None:
        """Writes the failed record of a cell whose worker could not."""
        assert outcome.failure is not None
        retire_record(cell.folder)
        write_record(cell.folder, failed_record(task, outcome.failure, outcome.environment, utc_now()))

    def _known_environment(self) -> Environment:
        """The environment of this machine; that of the last worker that lived to tell it."""
        if self.environment is None:
            import torch  # only when the very first worker died

            from trionet_bench.training.device import environment

            self.environment = environment(torch.device("cpu"))
        return self.environment


def _death(reason: str, folder: Path) -> Failure:
    """The failure of a worker that ended without a word, with the end of its log."""
    try:
        tail = (folder / LOG).read_text(encoding="utf-8", errors="replace")[-2000:]
    except OSError:
        tail = ""
    return Failure(type="WorkerDied", message=f"{reason}.", traceback=tail)


@contextmanager
def _terminable() -> Iterator[None]:
    """Within it, SIGTERM is told like Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
