"""What a cell or a phase will compute, told before it does: images that pass through networks of known cost.

A system may define ``work(cell)`` and ``phase_work(phase, cell)``, each giving a list of ``Work``; for `run --dry-run`.
"""

from collections.abc import Collection
from dataclasses import dataclass

from trionet_bench.systems.cell import Cell
from trionet_bench.training.recipe import Recipe

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


def training(cell: Cell, recipe: Recipe, macs: float, what: str = "retrain") -> Work:
    """A final network trained by a recipe, on train and search-validation images as all are."""
    return Work(what, recipe.epochs * images_in(cell, ("train", "search_val")), macs, trains=True)


def evaluation(cell: Cell, macs: float, *parts: str) -> Work:
    """A network evaluated on these parts."""
    return Work("evaluate", images_in(cell, parts), macs)


def final_network(cell: Cell) -> list[Work]:
    """Training and testing of the one network that every cell ends with, counted at the budget that it has to fit."""
    return [training(cell, cell.recipe, cell.budget), evaluation(cell, cell.budget, "test", "val")]


def search_work(cell: Cell) -> list[Work]:
    """A search, and what is done with the found child's inherited weights; children count at the budget too."""
    recipe, macs = cell.recipe, cell.budget
    calibration = min(recipe.search.calibration_images, images_in(cell, ("train",)))
    scored = recipe.search.generations * recipe.search.population
    parts = [
        Work("search", scored * (calibration + images_in(cell, ("search_val",))), macs),
        Work("evaluate", calibration, macs),
        evaluation(cell, macs, "val", "test"),
    ]
    if recipe.finetune_epochs:
        parts += [training(cell, recipe.for_finetuning(), macs, "finetune"), evaluation(cell, macs, "test")]
    return parts
