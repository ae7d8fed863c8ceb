"""What a run will compute, how long that takes here, and what it leaves: the arithmetic of `run --dry-run`.

Systems say which images pass through networks of which cost (``systems.work``). Time is their MACs at the pace of a
short measurement on the device, of middle-sized networks of each operator of the suite's spaces; loading images and
starting processes is left out. Data sets that are not here count as published.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from trionet_bench.data.sources.catalogue import published_index
from trionet_bench.execution.executors.local import Desk
from trionet_bench.execution.plan import Plan, PlannedCell, as_chosen, make_cell
from trionet_bench.systems import load_system
from trionet_bench.systems.cell import Cell
from trionet_bench.systems.work import Work, final_network

FLOAT = 4  # bytes of a weight
_SAMPLE_MACS = 1e9  # of the batch that is timed on a CPU, about
_SAMPLE_IMAGES = 64  # in the batch that is timed on other devices, at most


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
class Pace:
    """Seconds of one MAC forward and in training (there of forward and backward together), and parameters per MAC."""

    forward: float
    training: float
    parameters: float


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

    def to_dict(self) -> dict[str, Any]:
        """For other programs."""
        return {**asdict(self), "seconds": self.seconds}


def estimate(plan: Plan, cells: Iterable[PlannedCell], desk: Desk) -> Estimate:
    """What carrying out these cells, those whose data are missing, and their open phases comes to."""
    known, published, unknown = _with_stand_ins(plan, cells)
    jobs, silent = _jobs(plan, known)
    paces: dict[Any, Pace] = {}
    seconds: dict[str, float] = defaultdict(float)
    macs: dict[str, float] = defaultdict(float)
    images: dict[tuple[str, bool], int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    weights, checkpoint = 0.0, 0.0
    for cell, works in jobs:
        where = (cell.space, cell.resolution, cell.recipe.precision, cell.recipe.batch, cell.data.index.channels)
        if where not in paces:
            paces[where] = measure_pace(cell, desk)
        pace = paces[where]
        for what in {work.what for work in works}:
            counts[what] += 1
        for work in works:
            macs[work.what] += work.total_macs
            images[work.what, work.trains] += work.images
            seconds[work.what] += work.images * work.macs * (pace.training if work.trains else pace.forward)
            if work.trains and work.what != "finetune":
                own = FLOAT * (work.parameters or pace.parameters * work.macs)
                states = 2 if cell.recipe.optimizer.name == "adamw" else 1
                checkpoint = max(checkpoint, own * (1 + states + (cell.recipe.ema is not None)))
                weights += 0.0 if work.what in ("alone", "select") else own  # those are not kept
    parts = tuple(
        Part(what, counts[what], images[what, False], images[what, True], macs[what], seconds[what]) for what in counts
    )
    data = {cell.data.name: _image_bytes(cell) for cell in known}
    return Estimate(
        desk.device, parts, sum(data.values()), round(weights), round(checkpoint), published, unknown, silent
    )


def _with_stand_ins(plan: Plan, cells: Iterable[PlannedCell]) -> tuple[list[Cell], tuple[str, ...], tuple[str, ...]]:
    """The cells to count, and the absent data sets of which something and nothing is known."""
    found = [planned.cell for planned in cells if planned.cell is not None]
    indices = {name: published_index(plan.suite.datasets[name].source) for name in plan.absent}
    for planned in plan.cells:
        index = indices.get(planned.name.dataset)
        if planned.cell is None and index is not None and planned.state != "complete":
            data = as_chosen(plan.suite, planned.name.dataset, index)
            found.append(make_cell(plan.suite, planned.name, data))
    known = tuple(name for name, index in indices.items() if index is not None)
    return found, known, tuple(name for name in indices if name not in known)


def _jobs(plan: Plan, cells: list[Cell]) -> tuple[list[tuple[Cell, list[Work]]], tuple[str, ...]]:
    """What each open phase and each cell computes; a phase of several cells once."""
    jobs: list[tuple[Cell, list[Work]]] = []
    silent: dict[str, None] = {}
    seen = {key for key, phase in plan.phases.items() if phase.content is not None}
    for cell in cells:
        system = load_system(cell.system)
        for phase in system.phases(cell):
            if phase.key in seen:
                continue
            seen.add(phase.key)
            if hasattr(system, "phase_work"):
                jobs.append((cell, system.phase_work(phase, cell)))
            else:
                silent[cell.system] = None
        jobs.append((cell, getattr(system, "work", final_network)(cell)))
    return jobs, tuple(silent)


def _image_bytes(cell: Cell) -> int:
    counts = cell.data.splits(cell.seed).counts
    return sum(counts.values()) * cell.data.index.channels * cell.resolution**2


def measure_pace(cell: Cell, desk: Desk) -> Pace:
    """Times a few steps of networks of the cell's space on its device; a second or a few."""
    import torch

    from trionet_bench.networks.cost import profile
    from trionet_bench.networks.layers import initialise
    from trionet_bench.networks.skeletons import build_network
    from trionet_bench.timing import in_turns, threads
    from trionet_bench.training.device import resolve_device

    device, index, found = resolve_device(desk.device), cell.data.index, []
    for genes in _typical(cell):
        network = build_network(cell.space.decode(genes), len(index.classes), index.channels, cell.resolution)
        cost = profile(network, cell.resolution)
        most = _SAMPLE_IMAGES if device.type != "cpu" else max(2, round(_SAMPLE_MACS / cost.macs))
        batch = min(cell.recipe.batch, most)
        steps = _steps(initialise(network, 0).to(device), batch, cell, device)
        with threads(desk.threads):
            times = in_turns(steps, 2, device)
        forward, training = (min(times[name]) / 1000 / (batch * cost.macs) for name in ("forward", "training"))
        found.append(Pace(forward, training, cost.params / cost.macs))
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return Pace(
        *(fmean(column) for column in zip(*((p.forward, p.training, p.parameters) for p in found), strict=True))
    )


def _typical(cell: Cell) -> Iterator[tuple[int, ...]]:
    """A middle-sized network of each operator."""
    space = cell.space
    for operator in space.operator_options(space.operator_positions[0]):
        yield space.middle(space.operators_set_to(operator))


def _steps(network: Any, batch: int, cell: Cell, device: Any) -> dict[str, Any]:
    import torch
    import torch.nn.functional as F

    from trionet_bench.training.device import autocast

    images = torch.randn(batch, cell.data.index.channels, cell.resolution, cell.resolution).to(device)
    labels = torch.zeros(batch, dtype=torch.long, device=device)

    def logits() -> torch.Tensor:
        with autocast(device, cell.recipe.precision):
            return network(images)

    def forward() -> None:
        network.eval()
        with torch.no_grad():
            logits()

    def training() -> None:
        network.train()
        F.cross_entropy(logits().float(), labels).backward()

    return {"forward": forward, "training": training}
