"""One phase at a time, in this very process: for people who drive the pipeline themselves, also under torchrun.

What is done here lies in the same store as what ``run`` does, under the same keys, so that the two can be mixed.
"""

from collections.abc import Callable
from dataclasses import replace

from trionet_bench.errors import BenchError, UsageError
from trionet_bench.execution.jobs import Job, cell_job, phase_job
from trionet_bench.execution.plan import Plan, PlannedPhase
from trionet_bench.execution.scheduler import Orders, declare, make_task, open_cells, open_phases
from trionet_bench.execution.worker import Desk, Task, carry_out, prepare
from trionet_bench.systems import load_system
from trionet_bench.systems.cell import Cell, Workplace

Tell = Callable[[int, int, str], None]
STEPS = ("supernet", "evolve", "retrain")


def carry_out_step(plan: Plan, step: str, orders: Orders, device: str, tell: Tell) -> list[str]:
    """Do one step for every open cell of ``plan`` and return the labels of what was done.

    Args:
        step: ``supernet`` trains the shared phases; ``evolve`` searches and leaves the scores in the cell's folder;
            ``retrain`` does the rest of the cell, searching first where that was not done.

    UsageError where a step before is missing; the error of the step itself where it fails.
    """
    import torch  # not for the plan

    from trionet_bench.training.device import resolve_device
    from trionet_bench.training.distributed import process_group

    cells = open_cells(plan, retry_failed=True)
    phases = open_phases(plan, cells)
    if step != "supernet" and phases:
        raise UsageError(f"{phase_job(phases[0]).label} is not trained yet: do `trionet-bench search supernet` first.")
    jobs = [*map(phase_job, phases)] if step == "supernet" else [*map(cell_job, cells)]
    if step == "evolve":
        jobs = [job for job in jobs if hasattr(load_system(_cell_of(job).system), "run_search")]
    contents = {key: phase.content for key, phase in plan.phases.items() if phase.content is not None}
    declare(plan)
    with process_group(resolve_device(device)) as own:
        desk = Desk(str(own), torch.get_num_threads())
        for job in jobs:
            content = _together(make_task(plan, job, contents, orders), desk, tell, search_only=step == "evolve")
            if isinstance(job.item, PlannedPhase) and content is not None:
                contents[job.item.phase.key] = content
    return [job.label for job in jobs]


def _together(task: Task, desk: Desk, tell: Tell, search_only: bool) -> str | None:
    """One task by all ranks; the first prepares the folder and leaves the record, the others only compute. All return
    the content of a phase.
    """
    from trionet_bench.training import distributed

    chief = distributed.rank() == 0
    if chief:
        prepare(task)
        task = replace(task, fresh=False)
    distributed.gathered(None)  # nobody goes on before the folder is ready
    if chief and not search_only:
        outcome = carry_out(task, desk, tell)
        if outcome.failure is not None:
            raise BenchError(f"{task.folder.name}: {outcome.failure.message} (see {task.folder / 'log.txt'})")
        return _told(outcome.content)
    system = load_system(task.cell.system)
    inputs = {name: task.results / task.cell.suite / item.path for name, item in task.inputs.items()}
    workplace = Workplace(task.folder, inputs, desk.device, cache=task.cache, progress=tell)
    if search_only:
        system.run_search(task.cell, workplace)
    elif task.phase is not None:
        system.run_phase(task.phase, task.cell, workplace)
    else:
        system.run_cell(task.cell, workplace)
    return _told(None)


def _told(content: str | None) -> str | None:
    """What the first rank says; the others wait for it."""
    from trionet_bench.training import distributed

    told: str | None = distributed.gathered(content)[0]
    return told


def _cell_of(job: Job) -> Cell:
    cell = job.item.cell
    assert cell is not None
    return cell
