"""The score of each test image in each cell, from the predictions that lie beside the records."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trionet_bench.analysis.crossed import NOTHING_KNOWN, OF_A_DIFFERENCE, OF_A_SHARE, ImagePart, image_part
from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.metrics import is_accuracy
from trionet_bench.analysis.predictions import read_predictions, stored_columns
from trionet_bench.analysis.results import Results
from trionet_bench.records.task_info import Metric

Cell = tuple[str, int, str, int]  # as ``CELL``


@lru_cache(maxsize=2)
def image_scores(results: Results) -> Mapping[Cell, NDArray[np.float64]]:
    """The primary metric of each test image (N,), by cell, where these are stored and their mean is the metric.

    Data sets whose test images differ between cells are left out: there the spread over seeds has their noise.
    """
    scores: dict[Cell, NDArray[np.float64]] = {}
    of_first: dict[str, NDArray[np.float64]] = {}
    differing: set[str] = set()
    if results.score not in results.complete:
        return {}
    cells = results.complete[[*CELL, "folder"]].assign(measured=results.complete[results.score])
    for row in cells.itertuples(index=False):
        scored = _scored(row.folder, results.primary)
        if scored is None or not np.isclose(scored[0].mean(), row.measured, rtol=1e-4, atol=1e-6):
            continue
        known, images = scored
        scores[row.dataset, row.budget, row.model, row.seed] = known
        if not np.array_equal(images, of_first.setdefault(row.dataset, images)):
            differing.add(row.dataset)
    return {cell: values for cell, values in scores.items() if cell[0] not in differing}


def _scored(folder: Path, metric: Metric) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The metric of single images, and what tells the images of two cells apart: their labels, or else their number.

    A column of the metric's name, or whether the answer is right; None without either.
    """
    columns = stored_columns(folder, metric.name)
    if columns is not None:
        return np.asarray(columns[0], float), np.zeros(len(columns[0]))
    stored = read_predictions(folder) if metric.label == "top-1" else None
    return None if stored is None else (stored.correct.astype(float), stored.labels)


def part_of_mean(results: Results, dataset: str, budget: int, model: str, seeds: Sequence[int]) -> ImagePart:
    """What test images add to the variance of a model's mean over these seeds."""
    scores = _stacked(results, dataset, budget, model, seeds)
    return NOTHING_KNOWN if scores is None else image_part(scores, _added(results, OF_A_SHARE))


def part_of_difference(
    results: Results, dataset: str, budget: int, candidate: str, baseline: str, seeds: Sequence[int]
) -> ImagePart:
    """What test images add to the variance of the difference of two models' means over these seeds."""
    ours, theirs = (_stacked(results, dataset, budget, model, seeds) for model in (candidate, baseline))
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return NOTHING_KNOWN
    return image_part(ours - theirs, _added(results, OF_A_DIFFERENCE))


def _added(results: Results, images: tuple[float, ...]) -> tuple[float, ...]:
    return images if is_accuracy(results.primary) else ()


def _stacked(
    results: Results, dataset: str, budget: int, model: str, seeds: Sequence[int]
) -> NDArray[np.float64] | None:
    """Scores (seeds, images); None where a cell has none."""
    known = image_scores(results)
    rows = [known.get((dataset, budget, model, seed)) for seed in seeds]
    found = [row for row in rows if row is not None]
    if not rows or len(found) < len(rows) or len({len(row) for row in found}) > 1:
        return None
    return np.stack(found)
