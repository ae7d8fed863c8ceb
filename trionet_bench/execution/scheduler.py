"""Carries out what is open in a plan: shared phases first, then cells, wherever the executor puts them.

Every finished cell is on disk before anything else happens, so that the scheduler itself may be killed at any moment.
Cells are claimed on disk before they start, so that several runners can share a results folder.
"""

import logging
import math
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from trionet_bench.errors import StoreError
from trionet_bench.execution.declaration import declare
from trionet_bench.execution.durations import Durations
from trionet_bench.execution.elsewhere import failed_by_surroundings, finished_cell, finished_phase
from trionet_bench.execution.executors.base import Advanced, Ended, Executor
from trionet_bench.execution.foresight import Foresight
from trionet_bench.execution.jobs import CellJob, CellName, Job, PhaseJob
from trionet_bench.execution.plan import Plan, PlannedCell, without_damaged_phases
from trionet_bench.execution.worker import Outcome, RunRequest, failed_record, is_swept, make_platform, sweep, utc_now
from trionet_bench.records.claims import Claims
from trionet_bench.records.layout import CLAIMS, LOG
from trionet_bench.records.record import Environment, Failure, Input
from trionet_bench.records.store import read_head, retire_record, write_record
from trionet_bench.training.platform import Resources

_CLAIMED_RETRY = 1.0  # seconds until a job that another runner holds is looked at again
_TICK = 0.5
_FORESEEN_AFTER = 1.0  # seconds: a run that is over by then needs no estimate
_FIRST_WAIT = 1.0  # seconds until what failed by its surroundings is tried again; then twice as long

_log = logging.getLogger(__name__)


class Watcher:
    """Hears what happens during a run; this one does nothing with it."""

    def began(self, label: str) -> None:
        """A job has started here."""

    def advanced(self, label: str, done: int, total: int, message: str) -> None:
        """A job has done so many of its steps."""

    def ended(self, label: str, outcome: Outcome, left: int, seconds_left: float | None) -> None:
        """A job is over; ``left`` others are not."""

    def remains(self, cells: int, seconds: float | None) -> None:
        """Every half second: how many cells are done, and how long the rest may take, where that is known."""

    def waits(self, labels: list[str]) -> None:
        """All that is left is being done by another runner."""


def open_cells(plan: Plan, retry_failed: bool = False, force: bool = False) -> list[CellJob]:
    """The cells that a run would carry out; those whose data are missing cannot be."""
    states = {"missing", "stale"} | ({"failed"} if retry_failed else set())
    return [
        cell.job
        for cell in plan.cells
        if cell.job is not None and (force or cell.state in states or failed_by_surroundings(cell.record))
    ]


def open_phases(plan: Plan, cells: list[CellJob]) -> list[PhaseJob]:
    """The phases that must be carried out before ``cells`` can be."""
    needed = {key for cell in cells for key in cell.needs}
    return [phase for key, phase in plan.phases.items() if key in needed and phase.content is None]


def inputs_of(plan: Plan, job: Job, contents: Mapping[str, str]) -> dict[str, Input]:
    """The finished phases that a job needs, by name; ``contents`` has their content hashes by key."""
    inputs = {}
    for key in job.needs:
        phase = plan.phases[key]
        path = phase.folder.relative_to(plan.folder).as_posix()
        inputs[phase.phase.name] = Input(key=key, content=contents[key], path=path)
    return inputs


def run_plan(
    plan: Plan,
    executor: Executor,
    request: RunRequest,
    watcher: Watcher,
    seconds: float | None = None,
    resources: Resources | None = None,
) -> Plan:
    """Carry out the open cells of ``plan``; returns it with the new states. KeyboardInterrupt on SIGINT and SIGTERM.

    A failed cell leaves a failed record, and the others go on. What fails by its surroundings is tried again
    ``request.retries`` times; then a store error stops everything. After so many
    ``seconds`` the run ends as it would by an interrupt: what is under way goes on from its checkpoint the next time.

    Args:
        resources: of one worker, by which the time left is foreseen; without them it is known after the first job.
    """
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    plan = without_damaged_phases(plan, open_cells(plan, request.retry_failed, request.force))
    declare(plan)
    for folder in _folders_done(plan):
        if not is_swept(folder):
            sweep(folder)
    with _sigterm_as_interrupt(), Claims(plan.folder / CLAIMS) as claims:
        scheduler = Scheduler(plan, executor, request, watcher, claims, resources)
        interrupted = False
        try:
            scheduler.run(deadline)
        except KeyboardInterrupt:
            interrupted = True
            raise
        finally:
            executor.stop()
            if scheduler.foresight and not interrupted:  # whoever interrupts does not wait
                scheduler.foresight.end()
    after = scheduler.plan_after()
    declare(after)
    return after


def _folders_done(plan: Plan) -> Iterator[Path]:
    """Of cells and phases that are complete."""
    yield from (cell.job.folder for cell in plan.cells if cell.job is not None and cell.state == "complete")
    yield from (phase.folder for phase in plan.phases.values() if phase.content is not None)


class Scheduler:
    """The state of one run: jobs that wait, jobs under way by folder, and the results of the others."""

    def __init__(
        self,
        plan: Plan,
        executor: Executor,
        request: RunRequest,
        watcher: Watcher,
        claims: Claims,
        resources: Resources | None = None,
    ) -> None:
        cells = open_cells(plan, request.retry_failed, request.force)
        self.plan, self.executor, self.request, self.watcher, self.claims = plan, executor, request, watcher, claims
        self.waiting: list[Job] = [*open_phases(plan, cells), *cells]
        self.under_way: dict[Path, Job] = {}
        self.not_before: dict[str, float] = {}
        self.contents = {key: phase.content for key, phase in plan.phases.items() if phase.content is not None}
        self.done: dict[CellName, PlannedCell] = {}
        self.planned = {cell.name: cell for cell in plan.cells}
        self.foresight = Foresight(self.waiting, resources) if resources else None
        self.durations = Durations(plan, self.foresight)
        self.began: dict[str, float] = {}
        self.environment: Environment | None = None
        self.tries: Counter[str] = Counter()

    def run(self, deadline: float = math.inf) -> None:
        """Until nothing is left to be done, here or elsewhere, or the monotonic clock is at ``deadline``."""
        started = time.monotonic()
        while (self.waiting or self.under_way) and time.monotonic() < deadline:
            self._end_what_is_lost()
            self._start_ready_jobs()
            if self.foresight and not self.foresight.begun and time.monotonic() - started >= _FORESEEN_AFTER:
                self.foresight.begin()
            held = [job.label for job in self.waiting if job.claim not in self.tries]
            if held and not self.under_way:
                self.watcher.waits(held)
            for event in self.executor.events(_TICK) if self.waiting or self.under_way else ():
                if isinstance(event, Advanced):
                    self.watcher.advanced(event.job.label, event.done, event.total, event.message)
                else:
                    self._finish(event)
            complete = sum(self.done.get(cell.name, cell).state == "complete" for cell in self.plan.cells)
            self.watcher.remains(complete, self._left())

    def _left(self) -> float | None:
        """Seconds that the rest may take."""
        now = time.monotonic()
        spent = {job.claim: now - self.began[job.claim] for job in self.under_way.values()}
        return self.durations.left([*self.waiting, *self.under_way.values()], self.executor.slots, spent)

    def plan_after(self) -> Plan:
        """The plan with the present state of its cells and phases."""
        cells = tuple(self.done.get(cell.name, cell) for cell in self.plan.cells)
        phases = {key: replace(phase, content=self.contents.get(key)) for key, phase in self.plan.phases.items()}
        return replace(self.plan, cells=cells, phases=phases)

    def _end_what_is_lost(self) -> None:
        """Two runners in one folder would spoil each other's files: a job that another has taken over ends here."""
        lost = self.claims.lost()
        for job in [job for job in self.under_way.values() if job.claim in lost]:
            _log.warning("%s: another runner has taken it over, since this one gave no sign of life", job.label)
            self.executor.abandon(job)
            del self.under_way[job.folder]
            self._put_back(job, _CLAIMED_RETRY)

    def _put_back(self, job: Job, seconds: float) -> None:
        """A job that was under way waits again, at least so long."""
        self.not_before[job.claim] = time.monotonic() + seconds
        self.waiting.append(job)
        self.claims.release(job.claim)

    def _start_ready_jobs(self) -> None:
        while len(self.under_way) < self.executor.slots and self._start_one():
            pass

    def _start_one(self) -> bool:
        """Start the first job that nobody else holds; whether there was one."""
        now = time.monotonic()
        for waiting in self._by_priority():
            if self.not_before.get(waiting.claim, now) > now:
                continue
            job = waiting.on(inputs_of(self.plan, waiting, self.contents))
            claimed = self.claims.take(job.claim)
            if self._is_done_elsewhere(job):
                self.waiting.remove(waiting)
                if claimed:
                    self.claims.release(job.claim)
            elif claimed:
                self.waiting.remove(waiting)
                self.under_way[job.folder] = job
                self.began[job.claim] = now
                self.watcher.began(job.label)
                fresh = self.request.force and isinstance(job, CellJob) and not self.tries[job.claim]
                self.executor.start(job, fresh)
                return True
            else:
                self.not_before[job.claim] = now + _CLAIMED_RETRY
        return False

    def _by_priority(self) -> list[Job]:
        """Jobs that could start now: phases before cells, since others wait for them, then what takes longest.

        A first accuracy is worth more than the end a little earlier: one at a time, cells that need no phase go first;
        several at a time, one of them does while no cell is done or under way.
        """
        ready = [job for job in self.waiting if all(key in self.contents for key in job.needs)]
        alone = [job for job in ready if isinstance(job, CellJob) and not job.needs]
        if self.executor.slots > 1:
            begun = self.done or any(isinstance(job, CellJob) for job in self.under_way.values())
            alone = [] if begun else alone[:1]
        first = {job.claim for job in alone}

        def rank(job: Job) -> tuple[bool, bool, float]:
            return job.claim not in first, isinstance(job, CellJob), -(self.durations.expected(job) or 0.0)

        return sorted(ready, key=rank)

    def _is_done_elsewhere(self, job: Job) -> bool:
        """Whether another runner has finished the job since it was planned; its result is then taken over."""
        if isinstance(job, PhaseJob):
            content = finished_phase(job)
            if content is not None:
                self.contents[job.key] = content
            return content is not None
        planned = self.planned[job.name]
        record = finished_cell(job, planned.record)
        if record is not None:
            self.done[job.name] = replace(planned, state=record.status, key=record.key, record=record)
        return record is not None

    def _finish(self, event: Ended) -> None:
        """Take in the result of a job that was done here."""
        job, outcome = event.job, event.outcome
        del self.under_way[job.folder]
        if self._is_tried_again(job, outcome):
            return
        if isinstance(outcome, StoreError):
            raise outcome
        if isinstance(outcome, str):
            outcome = Outcome(_death(outcome, job.folder), self._last_environment(job), 0.0, {})
            if isinstance(job, CellJob):
                self._leave_failed_record(job, job.key, outcome)
        self.environment = outcome.environment
        if isinstance(job, CellJob):
            record = read_head(job.folder)
            assert record is not None  # written before the outcome was sent
            self.done[job.name] = replace(self.planned[job.name], state=record.status, key=record.key, record=record)
        elif outcome.content is not None:
            self.contents[job.key] = outcome.content
        else:
            self._fail_dependents(job, outcome)
        if outcome.failure is None:
            self.durations.learn(job, outcome.seconds)
        self.claims.release(job.claim)
        self.watcher.ended(job.label, outcome, len(self.waiting) + len(self.under_way), self._left())

    def _is_tried_again(self, job: Job, outcome: Outcome | str | StoreError) -> bool:
        """Whether a job failed by its surroundings and has tries left: it then waits, longer each time."""
        if isinstance(outcome, Outcome):
            if outcome.failure is None or not outcome.failure.surroundings:
                return False
            reason = outcome.failure.message
        else:
            reason = str(outcome)
        self.tries[job.claim] += 1
        if self.tries[job.claim] > self.request.retries:
            return False
        seconds = _FIRST_WAIT * 2 ** (self.tries[job.claim] - 1)
        _log.warning("%s: %s; it is tried again in %.0f s", job.label, reason.rstrip("."), seconds)
        self._put_back(job, seconds)
        return True

    def _fail_dependents(self, phase: PhaseJob, outcome: Outcome) -> None:
        """Cells that need a failed phase fail with its cause; so do phases after it, which leave nothing."""
        assert outcome.failure is not None
        message = f"its shared phase {phase.phase.name} failed: {outcome.failure.message}"
        inherited = replace(outcome, failure=outcome.failure.model_copy(update={"message": message}))
        for job in [job for job in self.waiting if phase.key in job.needs]:
            self.waiting.remove(job)
            if isinstance(job, CellJob) and self.claims.take(job.claim):
                self._leave_failed_record(job, job.stand_in_key, inherited)
                record = read_head(job.folder)
                self.done[job.name] = replace(self.planned[job.name], state="failed", key=None, record=record)
                self.claims.release(job.claim)

    def _leave_failed_record(self, job: CellJob, key: str, outcome: Outcome) -> None:
        """The failed record of a cell whose worker could not write it."""
        assert outcome.failure is not None
        retire_record(job.folder)
        record = failed_record(job, key, self.request, outcome.failure, outcome.environment, utc_now())
        write_record(job.folder, record)

    def _last_environment(self, job: Job) -> Environment:
        """That of the last worker that lived to send it, else of this process."""
        if self.environment is None:
            self.environment = make_platform(job, Resources("cpu", threads=1)).environment()
        return self.environment


def _death(reason: str, folder: Path) -> Failure:
    """The failure of a worker that died, with the end of its log."""
    try:
        tail = (folder / LOG).read_text(encoding="utf-8", errors="replace")[-2000:]
    except OSError:
        tail = ""
    return Failure(type="WorkerDied", message=f"{reason}.", traceback=tail, surroundings=True)


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Within it, SIGTERM raises KeyboardInterrupt, as Ctrl-C does; where the program has a handler, that one stays."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
