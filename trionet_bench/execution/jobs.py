"""What a run has to do, cells and phases alike, in which order, and how long that may take."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from trionet_bench.execution.plan import Plan, PlannedCell, PlannedPhase
from trionet_bench.records.layout import cell_name


@dataclass(frozen=True, eq=False)
class Job:
    """A cell or a phase to be carried out.

    Args:
        claim: the name under which runners agree on who does it.
        needs: keys of the phases that must be done before.
        alike: groups of jobs that take about as long, the closest first.
    """

    item: PlannedCell | PlannedPhase
    label: str
    claim: str
    needs: tuple[str, ...]
    alike: tuple[Hashable, ...]

    @property
    def folder(self) -> Path:
        """Where its files go."""
        return self.item.folder


def cell_job(cell: PlannedCell) -> Job:
    """The job of a cell."""
    name = cell.name
    return Job(
        item=cell,
        label=str(name),
        claim=f"{name.dataset},{name.model},{cell_name(name.budget, name.seed)}",
        needs=tuple(phase.key for phase in cell.phases),
        alike=(name, name[:3], name[:2]),
    )


def phase_job(phase: PlannedPhase) -> Job:
    """The job of a phase that cells share."""
    cell, name = phase.cell, phase.phase.name
    return Job(
        item=phase,
        label=f"{cell.data.name} {cell.model} {name} s{cell.seed}",
        claim=f"phase,{phase.folder.name}",
        needs=phase.after,
        alike=((cell.data.name, name),),
    )


class Estimates:
    """Seconds that jobs took, and from these what others may take."""

    def __init__(self, plan: Plan) -> None:
        self._seconds: dict[Hashable, list[float]] = defaultdict(list)
        for cell in plan.cells:
            if cell.record is not None and cell.record.status == "complete" and cell.seconds is not None:
                self.learn(cell_job(cell), cell.seconds)

    def learn(self, job: Job, seconds: float) -> None:
        """``job`` took so long."""
        for group in job.alike:
            self._seconds[group].append(seconds)

    def of(self, job: Job) -> float | None:
        """The mean over the closest group that is known."""
        for group in job.alike:
            if group in self._seconds:
                return fmean(self._seconds[group])
        return None

    def left(self, jobs: Iterable[Job], slots: int) -> float | None:
        """How long the rest may take on so many slots; unlike jobs count as the mean of all. None before the first."""
        if not self._seconds:
            return None
        mean = fmean(seconds for group in self._seconds.values() for seconds in group)
        known = [self.of(job) for job in jobs]
        return sum(mean if seconds is None else seconds for seconds in known) / slots
