"""How fast networks of a cell's space are here: a few steps of middle-sized ones, timed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean

import torch

from trionet_bench.networks.layers import initialise
from trionet_bench.networks.mac_totals import profile
from trionet_bench.spaces.choice import Genes
from trionet_bench.systems.cell import AnyCell
from trionet_bench.systems.work import BACKWARD
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.runner import TaskRunner, make_runner
from trionet_bench.tasks.training_step import TrainingStep
from trionet_bench.timing import in_turns, threads
from trionet_bench.training.device import autocast, resolve_device
from trionet_bench.training.platform import Resources

_SAMPLE_MACS = 1e9  # of the batch that is timed on a CPU, about
_SAMPLE_IMAGES = 64  # in the batch that is timed on other devices, at most


@dataclass(frozen=True)
class Pace:
    """Seconds of one MAC forward and in training (there of forward and backward together), and parameters per MAC."""

    forward: float
    training: float
    parameters: float


def measure_pace(cell: AnyCell, resources: Resources) -> Pace:
    """Time a few steps of networks of the cell's space on its device; a second or a few."""
    device, data = resolve_device(resources.device), cell.data
    task = make_runner(data.task, data.index, cell.resolution, cell.recipe, 0, device)
    paces = []
    for genes in _typical(cell):
        network = task.network(cell.space.decode(genes))
        cost = profile(network, cell.resolution)
        most = _SAMPLE_IMAGES if device.type != "cpu" else max(2, round(_SAMPLE_MACS / cost.macs))
        batch = min(cell.recipe.batch, most)
        steps = _steps(task, initialise(network, 0).to(device), batch)
        with threads(resources.threads):
            times = in_turns(steps, 2, device)
        forward, training = (min(times[name]) / 1000 / (batch * cost.macs) for name in ("forward", "training"))
        paces.append(Pace(forward, training, cost.params / cost.macs))
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return Pace(
        forward=fmean(pace.forward for pace in paces),
        training=fmean(pace.training for pace in paces),
        parameters=fmean(pace.parameters for pace in paces),
    )


def stated_pace(cell: AnyCell, macs_per_s: float) -> Pace:
    """The pace of a device that trains at ``macs_per_s``, and the parameters of networks of the cell's space."""
    task = make_runner(cell.data.task, cell.data.index, cell.resolution, cell.recipe, 0, torch.device("meta"))
    costs = [profile(task.network(cell.space.decode(genes)), cell.resolution) for genes in _typical(cell)]
    parameters = fmean(cost.params / cost.macs for cost in costs)
    return Pace(1 / macs_per_s, (1 + BACKWARD) / macs_per_s, parameters)


def _typical(cell: AnyCell) -> Iterator[Genes]:
    """A middle-sized network of each operator that all blocks may have, or of any where they have none in common."""
    space = cell.space
    for fixed in [space.operators_set_to(operator) for operator in space.everywhere] or [{}]:
        yield space.middle(fixed)


def _steps(task: TaskRunner[Task], network: torch.nn.Module, batch: int) -> dict[str, Callable[[], object]]:
    images = torch.randn(batch, task.channels, task.resolution, task.resolution).to(task.device)
    labels = torch.zeros(batch, dtype=torch.long, device=task.device)
    step = TrainingStep(task, network)

    def forward() -> None:
        network.eval()
        with torch.no_grad(), autocast(task.device, task.recipe.precision):
            network(task.views(images, labels, 0)[0])

    def training() -> None:
        network.train()
        step(images, labels, 0)

    return {"forward": forward, "training": training}
