"""Checks of class names against the labels of each part, and the words for what is wrong."""

from collections.abc import Sequence

import numpy as np

from trionet_bench.data.index import Index
from trionet_bench.errors import DataError

NAMES_SHOWN = 5


def absent_class_warnings(index: Index) -> list[str]:
    """A warning for each part that lacks a class; DataError where only train lacks it, as it cannot be learned then."""
    present = {part: np.bincount(labels, minlength=len(index.classes)) > 0 for part, labels in index.labels.items()}
    warnings = []
    for part, of_part in present.items():
        if unlearnable := [index.classes[label] for label in np.flatnonzero(of_part & ~present["train"])]:
            raise unknown_classes(index.uri, part, unlearnable)
        if absent := [index.classes[label] for label in np.flatnonzero(~of_part)]:
            warnings.append(f"{part} has no image of class {quoted(absent)}")
    return warnings


def unknown_classes(uri: str, part: str, names: Sequence[str]) -> DataError:
    """The error for classes that ``part`` has and train has not."""
    return DataError(
        f"{uri}: {part} has class {quoted(names)}, which train does not have. "
        f"Add train images, or remove it from {part}."
    )


def quoted(names: Sequence[str]) -> str:
    """The first few names in quotes, with a note where there are more."""
    return ", ".join(f'"{name}"' for name in names[:NAMES_SHOWN]) + (" and more" if len(names) > NAMES_SHOWN else "")
