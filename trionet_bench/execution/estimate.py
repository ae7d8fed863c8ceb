"""What a run will compute, how long that takes here, and what it leaves: the arithmetic of `run --dry-run`.

Systems say which images pass through networks of which cost (``systems.work``). Time is their MACs at the pace of a
short measurement on the device, of middle-sized networks of each operator of the suite's spaces; loading images and
starting processes is left out. Data sets that are not here count as published.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from trionet_bench.data.sources.catalogue import published_index
from trionet_bench.execution.devices import StatedMachine
from trionet_bench.execution.jobs import CellJob, Job, PhaseJob
from trionet_bench.execution.pace import Pace, measure_pace, stated_pace
from trionet_bench.execution.plan import Plan, as_chosen, make_cell
from trionet_bench.jsontypes import JsonObject
from trionet_bench.systems.cell import AnyCell
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.systems.work import Work
from trionet_bench.training.platform import Resources

FLOAT = 4  # bytes of a weight


@dataclass(frozen=True)
class Part:
    """One part of the study over all its jobs. ``seconds`` are of one worker."""

    what: str
    jobs: int
    forward_images: int
    trained_images: int
    macs: float
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """All of it.

    Args:
        data_bytes: decoded images of the data sets at the resolution of training, one byte a value.
        weights_bytes: weights that stay.
        checkpoint_bytes: the largest checkpoint that one worker keeps meanwhile.
        published: data sets that are not here, and count as published.
        unknown: data sets that are not here, of which nothing is known.
        silent: systems whose shared phases do not say what they compute.
    """

    device: str
    parts: tuple[Part, ...]
    data_bytes: int
    weights_bytes: int
    checkpoint_bytes: int
    published: tuple[str, ...]
    unknown: tuple[str, ...]
    silent: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Of one worker."""
        return sum(part.seconds for part in self.parts)

    def to_dict(self) -> JsonObject:
        """For other programs."""
        return {**asdict(self), "seconds": self.seconds}


def estimate(
    plan: Plan, cells: Iterable[CellJob], resources: Resources, machine: StatedMachine | None = None
) -> Estimate:
    """Estimated cost of these cells, of cells whose data are missing, and of their open phases.

    Args:
        machine: one that is not here, at whose stated pace time is reckoned instead of a measured one.
    """
    known, published, unknown = _with_stand_ins(plan, cells)
    jobs, silent = work_of(plan, known)
    paces = _Paces(resources, machine)
    seconds: dict[str, float] = defaultdict(float)
    macs: dict[str, float] = defaultdict(float)
    images: dict[tuple[str, bool], int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    weights, checkpoint = 0.0, 0.0
    for cell, works in jobs:
        pace = paces.of(cell)
        for what in {work.what for work in works}:
            counts[what] += 1
        for work in works:
            macs[work.what] += work.total_macs
            images[work.what, work.trains] += work.images
            seconds[work.what] += _seconds(work, pace)
            if work.trains and work.what != "finetune":
                kept = FLOAT * (work.parameters or pace.parameters * work.macs)
                states = 2 if cell.recipe.optimizer.name == "adamw" else 1
                checkpoint = max(checkpoint, kept * (1 + states + (cell.recipe.ema is not None)))
                weights += 0.0 if work.what in ("alone", "select") else kept  # those are not kept
    parts = tuple(
        Part(what, counts[what], images[what, False], images[what, True], macs[what], seconds[what]) for what in counts
    )
    device = machine.device.name if machine else resources.device
    data_bytes = sum({cell.data.name: _image_bytes(cell) for cell in known}.values())
    return Estimate(device, parts, data_bytes, round(weights), round(checkpoint), published, unknown, silent)


def seconds_of(jobs: Iterable[Job], resources: Resources) -> dict[str, float]:
    """Estimated seconds of each job, by its claim; phases of systems that do not say what they compute are left out."""
    paces, seconds = _Paces(resources), {}
    for job in jobs:
        runner = SYSTEMS.get(job.cell.system).runner
        works = runner.phase_work(job.phase, job.cell) if isinstance(job, PhaseJob) else runner.work(job.cell)
        if works is not None:
            seconds[job.claim] = sum(_seconds(work, paces.of(job.cell)) for work in works)
    return seconds


class _Paces:
    """The pace of each kind of cell, measured once."""

    def __init__(self, resources: Resources, machine: StatedMachine | None = None) -> None:
        self._resources, self._machine = resources, machine
        self._known: dict[tuple[object, ...], Pace] = {}

    def of(self, cell: AnyCell) -> Pace:
        where = (cell.space, cell.resolution, cell.recipe.precision, cell.recipe.batch, cell.data.index.channels)
        if where not in self._known:
            stated = self._machine and self._machine.device.macs_per_s
            self._known[where] = stated_pace(cell, stated) if stated else measure_pace(cell, self._resources)
        return self._known[where]


def _seconds(work: Work, pace: Pace) -> float:
    return work.images * work.macs * (pace.training if work.trains else pace.forward)


def _with_stand_ins(plan: Plan, cells: Iterable[CellJob]) -> tuple[list[AnyCell], tuple[str, ...], tuple[str, ...]]:
    """The cells to count, and the absent data sets of which something and nothing is known."""
    counted = [job.cell for job in cells]
    indices = {name: published_index(plan.suite.datasets[name].source) for name in plan.absent}
    for planned in plan.cells:
        index = indices.get(planned.name.dataset)
        if planned.job is None and index is not None and planned.state != "complete":
            data = as_chosen(plan.suite, planned.name.dataset, index)
            counted.append(make_cell(plan.suite, planned.name, data))
    known = tuple(name for name, index in indices.items() if index is not None)
    return counted, known, tuple(name for name in indices if name not in known)


def work_of(plan: Plan, cells: Iterable[AnyCell]) -> tuple[list[tuple[AnyCell, list[Work]]], tuple[str, ...]]:
    """What each open phase and each of these cells computes, a phase of several cells once; and the systems whose
    phases do not say.
    """
    jobs: list[tuple[AnyCell, list[Work]]] = []
    silent: dict[str, None] = {}
    seen = {key for key, phase in plan.phases.items() if phase.content is not None}
    for cell in cells:
        system = SYSTEMS.get(cell.system)
        for phase in system.phases(cell):
            if phase.key in seen:
                continue
            seen.add(phase.key)
            work = system.runner.phase_work(phase, cell)
            if work is None:
                silent[cell.system] = None
            else:
                jobs.append((cell, work))
        jobs.append((cell, system.runner.work(cell)))
    return jobs, tuple(silent)


def _image_bytes(cell: AnyCell) -> int:
    counts = cell.data.splits(cell.seed).counts
    return sum(counts.values()) * cell.data.index.channels * cell.resolution**2
