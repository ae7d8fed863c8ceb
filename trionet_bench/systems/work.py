"""What a cell or a phase will compute, told before it does: images that pass through networks of known cost.

A system may define ``work(cell)`` and ``phase_work(phase, cell)``, each giving a list of ``Work``; for `run --dry-run`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from trionet_bench.systems.cell import Cell
from trionet_bench.systems.standalone import cost_in
from trionet_bench.training.recipe import Recipe

if TYPE_CHECKING:
    from trionet_bench.networks.elastic import Naming
    from trionet_bench.search.sampling import Sampler

_DRAWS = 24  # steps whose children stand for all in an estimate
BACKWARD = 2  # MACs of a backward pass over those of the forward pass: by the inputs, and by the weights


@dataclass(frozen=True)
class Work:
    """Images through networks.

    Args:
        what: the part of the study: supernet, search, retrain, finetune, evaluate.
        images: how many pass, each counted as often as it does.
        macs: of one image's forward pass, on average.
        trains: whether a backward pass follows.
        parameters: of the weights that are trained, and stay.
    """

    what: str
    images: int
    macs: float
    trains: bool = False
    parameters: int = 0

    @property
    def total_macs(self) -> float:
        """Of all passes."""
        return self.images * self.macs * (1 + BACKWARD if self.trains else 1)


def images_in(cell: Cell, parts: Collection[str]) -> int:
    """How many images these parts of the cell's splits have."""
    counts = cell.data.splits(cell.seed).counts
    return sum(counts[part] for part in parts)


def training(
    cell: Cell, recipe: Recipe, macs: float, what: str = "retrain", parts: Collection[str] = ("train", "search_val")
) -> Work:
    """A network trained by a recipe; final ones see train and search-validation images."""
    return Work(what, recipe.epochs * images_in(cell, parts), macs, trains=True)


def evaluation(cell: Cell, macs: float, *parts: str) -> Work:
    """A network evaluated on these parts."""
    return Work("evaluate", images_in(cell, parts), macs)


def final_network(cell: Cell) -> list[Work]:
    """Training and testing of the one network that every cell ends with, counted at the budget that it has to fit."""
    return [training(cell, cell.recipe, cell.budget), evaluation(cell, cell.budget, "test", "val")]


def supernet_work(cell: Cell, recipe: Recipe, sampler: "Sampler", naming: "Naming") -> list[Work]:
    """A supernet's steps, at the mean cost of the children that the first of them draw, and its probes."""
    from trionet_bench.search.supernet import ProbeCurves, probes

    space, settings = sampler.space, recipe.supernet
    cost = cost_in(cell, space)
    children = [child.genes for step in range(_DRAWS) for child in sampler.draw(step)]
    train = images_in(cell, ("train",))
    batches = max(1, train // recipe.batch)
    seen = settings.epochs * batches * min(recipe.batch, train) * len(children) // _DRAWS
    curves = probes(space, cell.seed).values()
    scored = min(ProbeCurves.times, settings.epochs) * len(curves)
    parameters = supernet_parameters(cell, sampler, naming)
    return [
        Work("supernet", seen, fmean(map(cost, children)), trains=True, parameters=parameters),
        Work("supernet", scored * _scored_images(cell), fmean(map(cost, curves))),
    ]


def supernet_parameters(cell: Cell, sampler: "Sampler", naming: "Naming") -> int:
    """Weights of the supernet, within a few percent: for each name in its store the largest of the networks that span
    the space.
    """
    import torch

    from trionet_bench.networks.skeletons import build_network

    largest: dict[str, int] = {}
    index = cell.data.index
    for architecture in sampler.space.cover():
        with torch.device("meta"):
            network = build_network(architecture, len(index.classes), index.channels, cell.resolution)
        stored = naming(network)
        for name, parameter in network.named_parameters():
            key = stored.get(name, name)
            largest[key] = max(largest.get(key, 0), parameter.numel())
    return sum(largest.values())


def search_work(cell: Cell) -> list[Work]:
    """A search, and what is done with the found child's inherited weights; children count at the budget too."""
    recipe, macs = cell.recipe, cell.budget
    parts = [
        candidates(cell, recipe.search.generations),
        Work("evaluate", _calibration_images(cell), macs),
        evaluation(cell, macs, "val", "test"),
    ]
    if recipe.finetune_epochs:
        parts += [training(cell, recipe.for_finetuning(), macs, "finetune"), evaluation(cell, macs, "test")]
    return parts


def candidates(cell: Cell, generations: int) -> Work:
    """Children that a search scores, counted at the budget."""
    return Work("search", generations * cell.recipe.search.population * _scored_images(cell), cell.budget)


def _scored_images(cell: Cell) -> int:
    """That pass through one child, to calibrate and to score it."""
    return _calibration_images(cell) + images_in(cell, ("search_val",))


def _calibration_images(cell: Cell) -> int:
    return min(cell.recipe.search.calibration_images, images_in(cell, ("train",)))
