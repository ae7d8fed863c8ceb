"""Checks of class names against the labels of each part, and the words for what is wrong."""

from collections.abc import Sequence

import numpy as np

from trionet_bench.data.index import Index
from trionet_bench.data.sources.names import resembling
from trionet_bench.errors import DataError

NAMES_SHOWN = 5


def absent_class_warnings(index: Index) -> list[str]:
    """A warning for each part that lacks a class; DataError where only train lacks it, as it cannot be learned then."""
    present = {part: np.bincount(labels, minlength=len(index.classes)) > 0 for part, labels in index.labels.items()}
    warnings = []
    for part, of_part in present.items():
        if unlearnable := [index.classes[label] for label in np.flatnonzero(of_part & ~present["train"])]:
            learnt = [index.classes[label] for label in np.flatnonzero(present["train"])]
            raise unknown_classes(index.uri, part, unlearnable, learnt)
        if absent := [index.classes[label] for label in np.flatnonzero(~of_part)]:
            warnings.append(f"{part} has no image of class {quoted(absent)}")
    return warnings


def check_labels(index: Index) -> None:
    """DataError for a label that is the number of no class."""
    for part, labels in index.labels.items():
        if (wrong := np.flatnonzero((labels < 0) | (labels >= len(index.classes)))).size:
            raise DataError(
                f"{index.uri}: the label of {index.item(part, int(wrong[0]))} is class number {labels[wrong[0]]}, and "
                f"there are {len(index.classes)} classes, numbered from 0. Correct the labels, or the list of classes."
            )


def check_parts(index: Index) -> None:
    """DataError for a part without images, and where train has fewer than two classes."""
    for part, count in index.counts.items():
        if not count:
            sizes = np.bincount(np.concatenate(list(index.labels.values())), minlength=len(index.classes))
            few = f', and class "{index.classes[int(np.argmin(sizes))]}" {sizes.min()}' if len(sizes) else ""
            raise DataError(
                f"{index.uri}: the part {part} has no image; all parts together have {sizes.sum()} images{few}. "
                "Add images of each class."
            )
    present = np.unique(index.labels["train"])
    if len(present) < 2:
        raise DataError(
            f'{index.uri}: all {index.counts["train"]} train images are of one class, "{index.classes[present[0]]}". '
            "There is nothing to tell apart; add images of another class."
        )


def similar_class_warnings(index: Index) -> list[str]:
    """A warning for each class whose name differs from another only in case, blanks or the form of its signs."""
    names = list(index.classes)
    return [
        f'classes "{name}" and "{other}" differ only in case or blanks and are two classes'
        for number, name in enumerate(names)
        if (other := resembling(name, names[number + 1 :]))
    ]


def unknown_classes(uri: str, part: str, names: Sequence[str], of_train: Sequence[str]) -> DataError:
    """The error for classes that ``part`` has and train has not."""
    near = next(((name, other) for name in names if (other := resembling(name, list(of_train)))), None)
    hint = (
        f'"{near[0]}" and "{near[1]}" of train differ only in case or blanks: write both the same way. ' if near else ""
    )
    return DataError(
        f"{uri}: {part} has class {quoted(names)}, which train does not have. {hint}"
        f"Add train images, or remove it from {part}."
    )


def quoted(names: Sequence[str]) -> str:
    """The first few names in quotes, with a note where there are more."""
    return ", ".join(f'"{name}"' for name in names[:NAMES_SHOWN]) + (" and more" if len(names) > NAMES_SHOWN else "")
