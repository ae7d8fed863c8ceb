"""One phase at a time, in this very process: for people who drive the pipeline themselves, also under torchrun.

What is done here lies in the same store as what ``run`` does, under the same keys, so that the two can be mixed.
"""

from dataclasses import replace
from typing import Literal

import torch

from trionet_bench.errors import BenchError, UsageError
from trionet_bench.execution.declaration import declare
from trionet_bench.execution.jobs import CellJob, Job, PhaseJob
from trionet_bench.execution.plan import Plan, without_damaged_phases
from trionet_bench.execution.scheduler import inputs_of, open_cells, open_phases
from trionet_bench.execution.worker import Report, RunRequest, carry_out, make_platform, prepare, run_context
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.training import distributed
from trionet_bench.training.device import resolve_device
from trionet_bench.training.distributed import process_group
from trionet_bench.training.platform import Resources

Step = Literal["supernet", "evolve", "retrain"]


def carry_out_step(plan: Plan, step: Step, request: RunRequest, device: str, report: Report) -> list[str]:
    """Do one step for every open cell of ``plan`` and return the labels of what was done.

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
    with process_group(resolve_device(device)) as own_device:
        resources = Resources(str(own_device), torch.get_num_threads())
        for job in jobs:
            ready = job.on(inputs_of(plan, job, contents))
            if step == "evolve":
                _search(ready, request, resources, report)
            elif (content := _on_all_ranks(ready, request, resources, report)) is not None:
                contents[job.key] = content
    return [job.label for job in jobs]


def _search(job: Job, request: RunRequest, resources: Resources, report: Report) -> None:
    """The search of a cell, on all ranks."""
    _prepare_on_first_rank(job)
    context = run_context(job, request, resources, make_platform(job, resources), report)
    SYSTEMS.get(job.cell.system).runner.run_search(job.cell, replace(context, workers=0))
    distributed.gathered(None)


def _on_all_ranks(job: Job, request: RunRequest, resources: Resources, report: Report) -> str | None:
    """One job by all ranks: the first leaves the record, the others only compute. All return the content of a phase."""
    _prepare_on_first_rank(job)
    content: str | None = None
    if distributed.rank() == 0:
        outcome = carry_out(job, replace(request, force=False), resources, report)
        if outcome.failure is not None:
            raise BenchError(f"{job.folder.name}: {outcome.failure.message} (see {job.folder / 'log.txt'})")
        content = outcome.content
    else:
        context = run_context(job, request, resources, make_platform(job, resources), report)
        runner = SYSTEMS.get(job.cell.system).runner
        if isinstance(job, PhaseJob):
            runner.run_phase(job.phase, job.cell, context)
        elif isinstance(job, CellJob):
            runner.run_cell(job.cell, context)
    return distributed.gathered(content)[0]


def _prepare_on_first_rank(job: Job) -> None:
    """The job's folder is made ready before any rank goes on."""
    if distributed.rank() == 0:
        prepare(job, fresh=False)
    distributed.gathered(None)
