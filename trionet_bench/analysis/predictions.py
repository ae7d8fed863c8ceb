"""Image by image: what the stored predictions of each cell say that its accuracy does not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, recall_score

from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.metrics import is_accuracy
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import mcnemar_exact
from trionet_bench.records.columns import read_columns
from trionet_bench.records.layout import PREDICTIONS


@dataclass(frozen=True, eq=False)
class Predictions:
    """Labels and predictions of one cell over the test images, in their order."""

    labels: np.ndarray
    predictions: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """Whether each image was predicted right, (N,)."""
        return np.asarray(self.labels == self.predictions)


def read_predictions(folder: Path) -> Predictions | None:
    """What lies beside a record; None where nothing does or its task predicts no classes. StoreError if torn."""
    columns = stored_columns(folder, "labels", "predictions")
    return None if columns is None else Predictions(*columns)


def stored_columns(folder: Path, *names: str) -> list[np.ndarray] | None:
    """Columns of the predictions beside a record; None where there are not all of these. StoreError if torn."""
    path = folder / PREDICTIONS
    if not path.is_file():
        return None
    columns = read_columns(path)
    return [columns[name] for name in names] if set(names) <= set(columns) else None


def at_largest_budget(results: Results) -> pd.DataFrame:
    """Complete cells at the largest budget of their data set."""
    cells = results.complete
    return cells[cells.budget == cells.groupby("dataset").budget.transform("max")]


def paired_images(results: Results) -> pd.DataFrame:
    """McNemar's exact test for every declared comparison and seed, at the largest budget of each data set."""
    cells = at_largest_budget(results).set_index(CELL).sort_index()
    known: dict[Any, Predictions | None] = {}
    rows = []
    for comparison in results.declared.comparisons:
        if comparison.metric != results.score or not is_accuracy(results.primary):
            continue
        for candidate in comparison.candidates:
            for cell in cells.index[cells.index.get_level_values("model") == candidate]:
                dataset, budget, _, seed = cell
                other = (dataset, budget, comparison.baseline, seed)
                if other not in cells.index:
                    continue
                for key in (cell, other):
                    if key not in known:
                        known[key] = read_predictions(cells.folder[key])
                mine, theirs = known[cell], known[other]
                if mine is None or theirs is None or not np.array_equal(mine.labels, theirs.labels):
                    continue
                only_baseline, only_candidate, p = mcnemar_exact(theirs.correct, mine.correct)
                rows.append(
                    (
                        comparison.baseline,
                        candidate,
                        dataset,
                        budget,
                        seed,
                        len(mine.labels),
                        only_baseline,
                        only_candidate,
                        p,
                    )
                )
    columns = ["baseline", "candidate", "dataset", "budget", "seed", "images", "only_baseline", "only_candidate", "p"]
    return pd.DataFrame(rows, columns=columns)


def headline_pair(results: Results) -> tuple[str, str] | None:
    """Baseline and candidate that figures of single classes compare: of the first comparison, a searched one if any."""
    searched = set(results.complete[results.complete.algorithm.notna()].model)
    for comparison in results.declared.comparisons:
        candidates = [name for name in comparison.candidates if name in searched] or list(comparison.candidates)
        if candidates:
            return comparison.baseline, candidates[0]
    return None


def class_accuracy(results: Results, models: tuple[str, ...]) -> pd.DataFrame:
    """Accuracy of every class by cell, at the largest budget.

    Columns: ``CELL``, class_index, class_name, images (of the class in the test part), accuracy.
    """
    rows = []
    cells = at_largest_budget(results)
    for cell in cells[cells.model.isin(models)].itertuples():
        stored = read_predictions(cell.folder)
        if stored is None:
            continue
        classes, images = np.unique(stored.labels, return_counts=True)
        recalls = recall_score(stored.labels, stored.predictions, labels=classes, average=None, zero_division=0)
        rows += [
            (
                *(getattr(cell, name) for name in CELL),
                int(label),
                class_name(cell.class_names, int(label)),
                int(count),
                float(recall),
            )
            for label, count, recall in zip(classes, images, recalls, strict=True)
        ]
    return pd.DataFrame(rows, columns=[*CELL, "class_index", "class_name", "images", "accuracy"])


def class_name(names: Any, index: int) -> str:
    """The name of a class by its number; the number where names are not known."""
    return str(names[index]) if isinstance(names, tuple) and index < len(names) else str(index)


def confusion(results: Results, dataset: str, model: str) -> tuple[pd.DataFrame, int] | None:
    """Share of each class (row) that was predicted as each class (column), over all seeds at the largest budget."""
    cells = at_largest_budget(results)
    cells = cells[(cells.dataset == dataset) & (cells.model == model)]
    stored = _stored(cells)
    if not stored:
        return None
    labels = np.concatenate([cell.labels for cell in stored])
    predictions = np.concatenate([cell.predictions for cell in stored])
    classes = np.unique(np.concatenate([labels, predictions]))
    names = [class_name(cells.class_names.iloc[0], int(label)) for label in classes]
    matrix = confusion_matrix(labels, predictions, labels=classes, normalize="true")
    return pd.DataFrame(matrix, index=names, columns=names), len(stored)


def _stored(cells: pd.DataFrame) -> list[Predictions]:
    return [stored for folder in cells.folder if (stored := read_predictions(folder)) is not None]


def won_images(results: Results, dataset: str, models: list[str]) -> pd.DataFrame:
    """Test images that one of ``models`` gets right with every seed and each of the others wrong with most seeds.

    Columns: winner, image (position in the test part), label, rivals (share of the others' answers that are wrong),
    wrong (their most frequent wrong answer). Clearest first.
    """
    cells = at_largest_budget(results)
    cells = cells[cells.dataset == dataset]
    stacked: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for model in models:
        stored = _stored(cells[cells.model == model])
        if not stored or any(not np.array_equal(cell.labels, stored[0].labels) for cell in stored):
            return pd.DataFrame(columns=["winner", "image", "label", "rivals", "wrong"])
        stacked[model] = stored[0].labels, np.stack([cell.predictions for cell in stored])
    rows = []
    for winner, (labels, answers) in stacked.items():
        right = (answers == labels).all(axis=0)
        others = [predictions for model, (_, predictions) in stacked.items() if model != winner]
        if not others or any(predictions.shape[1] != len(labels) for predictions in others):
            continue
        beaten = np.all([(predictions != labels).mean(axis=0) > 0.5 for predictions in others], axis=0)
        wrong = np.concatenate(others)
        for image in np.flatnonzero(right & beaten):
            mistakes = wrong[:, image][wrong[:, image] != labels[image]]
            share = len(mistakes) / len(wrong)
            rows.append((winner, int(image), int(labels[image]), share, int(np.bincount(mistakes).argmax())))
    table = pd.DataFrame(rows, columns=["winner", "image", "label", "rivals", "wrong"])
    return table.sort_values(["winner", "rivals", "image"], ascending=[True, False, True], ignore_index=True)
