"""One phase at a time, in this very process: for people who drive the pipeline themselves, also under torchrun.

What is done here lies in the same store as what ``run`` does, under the same keys, so that the two can be mixed; claims
keep them from doing the same at once.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import torch

from trionet_bench.errors import BenchError, UsageError
from trionet_bench.execution.declaration import declare
from trionet_bench.execution.elsewhere import finished_cell, finished_phase
from trionet_bench.execution.executors.local import plan_resources
from trionet_bench.execution.jobs import CellJob, Job, PhaseJob
from trionet_bench.execution.plan import Plan, without_damaged_phases
from trionet_bench.execution.scheduler import inputs_of, open_cells, open_phases
from trionet_bench.execution.worker import Report, RunRequest, carry_out, make_platform, prepare, run_context
from trionet_bench.records.claims import Claims
from trionet_bench.records.layout import CLAIMS
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.training import distributed
from trionet_bench.training.device import resolve_device
from trionet_bench.training.distributed import process_group
from trionet_bench.training.platform import Platform, Resources

Step = Literal["supernet", "evolve", "retrain"]

_POLL = 1.0  # seconds until jobs that other runners hold are looked at again


def carry_out_step(plan: Plan, step: Step, request: RunRequest, device: str, report: Report) -> list[str]:
    """Do one step for every open cell of ``plan`` and return the labels of what was done here.

    What another runner does at this moment is waited for, and done here only if that one leaves it undone.

    Args:
        step: ``supernet`` trains the shared phases; ``evolve`` searches and leaves the scores in the cell's folder;
            ``retrain`` does the rest of the cell, searching first where that was not done.
        report: called with (steps done, steps in total, what is going on).

    UsageError where a step before is missing; the error of the step itself where it fails.
    """
    cells = open_cells(plan, retry_failed=True)
    plan = without_damaged_phases(plan, cells)
    phases = open_phases(plan, cells)
    if step != "supernet" and phases:
        raise UsageError(f"{phases[0].label} is not trained yet: do `trionet-bench search supernet` first.")
    jobs: list[Job] = [*phases] if step == "supernet" else [*cells]
    if step == "evolve":
        jobs = [job for job in jobs if SYSTEMS.get(job.cell.system).runner.searches]
    contents = {key: phase.content for key, phase in plan.phases.items() if phase.content is not None}
    declare(plan)
    done: list[str] = []
    waiting, passed_over = deque(jobs), 0
    with process_group(resolve_device(device)) as own_device, _turns(plan) as turns:
        resources = _resources(own_device)
        while waiting:
            job = waiting.popleft()
            ready = job.on(inputs_of(plan, job, contents)) if all(key in contents for key in job.needs) else None
            turn = turns.of(ready) if ready else _Turn("taken")
            if ready is None or turn.state == "taken":
                waiting.append(job)
                passed_over += 1
                if passed_over >= len(waiting):
                    report(0, 1, f"another runner does {job.label}")
                    time.sleep(_POLL)
                    passed_over = 0
                continue
            passed_over, content = 0, turn.content
            if turn.state == "ours":
                if step == "evolve":
                    _search(ready, request, resources, report)
                else:
                    content = _on_all_ranks(ready, request, resources, report)
                turns.over(ready)
                done.append(job.label)
            if content is not None:
                contents[job.key] = content
    return done


def _resources(device: torch.device) -> Resources:
    """On a CPU as ``run`` gives them to a worker, since the order of sums follows from the threads."""
    if device.type == "cpu":
        return plan_resources(1, "cpu", None)[0]
    return Resources(str(device), torch.get_num_threads())


def _prepared(job: Job, resources: Resources) -> Platform:
    """The platform of a job, which now computes as it does in a worker."""
    platform = make_platform(job, resources)
    platform.prepare()
    return platform


@dataclass(frozen=True)
class _Turn:
    """Whether a job is ours to do, done, or taken by another runner; a finished phase has its content hash."""

    state: Literal["ours", "done", "taken"]
    content: str | None = None


class _Turns:
    """Agrees with other runners who does a job; all ranks hear what the first one was told.

    Args:
        claims: of the first rank; None on the others.
    """

    def __init__(self, plan: Plan, claims: Claims | None) -> None:
        self._planned = {cell.name: cell.record for cell in plan.cells}
        self._claims = claims

    def of(self, job: Job) -> _Turn:
        """The turn of a job whose inputs are done."""
        mine = _Turn("taken") if self._claims is None else self._asked(job, self._claims)
        return distributed.gathered(mine)[0]

    def over(self, job: Job) -> None:
        """A job that was ours is done."""
        if self._claims is not None:
            self._claims.release(job.claim)

    def _asked(self, job: Job, claims: Claims) -> _Turn:
        claimed = claims.take(job.claim)
        if isinstance(job, PhaseJob):
            content = finished_phase(job)
            done = content is not None
        else:
            content, done = None, finished_cell(job, self._planned[job.name]) is not None
        if done:
            if claimed:
                claims.release(job.claim)
            return _Turn("done", content)
        return _Turn("ours" if claimed else "taken")


@contextmanager
def _turns(plan: Plan) -> Iterator[_Turns]:
    if distributed.rank() > 0:
        yield _Turns(plan, None)
        return
    with Claims(plan.folder / CLAIMS) as claims:
        yield _Turns(plan, claims)


def _search(job: Job, request: RunRequest, resources: Resources, report: Report) -> None:
    """The search of a cell, on all ranks."""
    _prepare_on_first_rank(job, request)
    context = run_context(job, request, resources, _prepared(job, resources), report)
    SYSTEMS.get(job.cell.system).runner.run_search(job.cell, replace(context, workers=0))
    distributed.gathered(None)


def _on_all_ranks(job: Job, request: RunRequest, resources: Resources, report: Report) -> str | None:
    """One job by all ranks: the first leaves the record, the others only compute. All return the content of a phase."""
    _prepare_on_first_rank(job, request)
    content: str | None = None
    if distributed.rank() == 0:
        outcome = carry_out(job, request, resources, report)
        if outcome.failure is not None:
            raise BenchError(f"{job.folder.name}: {outcome.failure.message} (see {job.folder / 'log.txt'})")
        content = outcome.content
    else:
        context = run_context(job, request, resources, _prepared(job, resources), report)
        runner = SYSTEMS.get(job.cell.system).runner
        if isinstance(job, PhaseJob):
            runner.run_phase(job.phase, job.cell, context)
        elif isinstance(job, CellJob):
            runner.run_cell(job.cell, context)
    return distributed.gathered(content)[0]


def _prepare_on_first_rank(job: Job, request: RunRequest) -> None:
    """The job's folder is made ready before any rank goes on."""
    if distributed.rank() == 0:
        prepare(job, request.results, fresh=False)
    distributed.gathered(None)
