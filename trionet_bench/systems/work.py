"""Estimated compute of a cell or phase: images that pass through networks of known cost, for `run --dry-run`.

The last networks of a cell and the children of a search are assumed to use their full budget.
"""

from collections.abc import Collection
from dataclasses import dataclass

from trionet_bench.systems.cell import AnyCell
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


def images_in(cell: AnyCell, parts: Collection[str]) -> int:
    """How many images these parts of the cell's splits have."""
    counts = cell.data.splits(cell.seed).counts
    return sum(counts[part] for part in parts)


def training(
    cell: AnyCell, recipe: Recipe, macs: float, what: str = "retrain", parts: Collection[str] = ("train", "search_val")
) -> Work:
    """A network trained by a recipe; final ones see train and search-validation images."""
    return Work(what, recipe.epochs * images_in(cell, parts), macs, trains=True)


def evaluation(cell: AnyCell, macs: float, *parts: str) -> Work:
    """A network evaluated on these parts."""
    return Work("evaluate", images_in(cell, parts), macs)


def final_network(cell: AnyCell) -> list[Work]:
    """Training and testing of the one network that every cell ends with, at its budget."""
    return [training(cell, cell.recipe, cell.budget), evaluation(cell, cell.budget, "test", "val")]


def search_work(cell: AnyCell) -> list[Work]:
    """A search, and the evaluation of its best child with inherited weights; children are counted at the budget."""
    recipe, macs = cell.recipe, cell.budget
    parts = [
        candidates(cell, recipe.search.generations),
        Work("evaluate", calibration_images(cell), macs),
        evaluation(cell, macs, "val", "test"),
    ]
    if recipe.finetune_epochs:
        parts += [training(cell, recipe.for_finetuning(), macs, "finetune"), evaluation(cell, macs, "test")]
    return parts


def candidates(cell: AnyCell, generations: int) -> Work:
    """Children that a search scores, counted at the budget."""
    return Work("search", generations * cell.recipe.search.population * scored_images(cell), cell.budget)


def scored_images(cell: AnyCell) -> int:
    """Images that pass through one child, to calibrate and to score it."""
    return calibration_images(cell) + images_in(cell, ("search_val",))


def calibration_images(cell: AnyCell) -> int:
    """Images that a child's batch-norm statistics are taken from, about."""
    return min(cell.recipe.search.calibration_images, images_in(cell, ("train",)))
