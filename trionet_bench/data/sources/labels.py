"""Labels of arrays and tables: one class for each image, or an error that says what they are instead."""

import numpy as np

from trionet_bench.errors import DataError

LARGEST = 2**53  # floats hold every integer up to it


def label_values(labels: np.ndarray, where: str, part: str, way: str = "") -> np.ndarray:
    """Labels as integers or strings (N,).

    Args:
        labels: (N,) or (N, 1).
        where: the beginning of messages.
        way: a sentence on how to do without a part that has no labels.

    Raises:
        DataError: names the row of a missing label; says that labels are several for an image, or one-hot, or -1.
    """
    if labels.ndim == 2 and labels.shape[1] > 1:
        rows_sum_to_one = labels.dtype.kind in "biuf" and bool((np.asarray(labels, np.float64).sum(axis=1) == 1).all())
        what = "one-hot: store the number of the class instead" if rows_sum_to_one else "several for an image"
        more = "" if rows_sum_to_one else " (multi-label); choose one class for each image"
        raise DataError(f"{where} have shape {labels.shape}, {what}{more}.")
    if labels.ndim == 0 or labels.size != len(labels):
        raise DataError(f"{where} have shape {labels.shape}; needed is one for each image.")
    labels = labels.reshape(-1)
    if labels.dtype.kind == "f":
        if (wrong := np.flatnonzero((labels != np.rint(labels)) | ~(np.abs(labels) <= LARGEST))).size:
            raise DataError(f"{where}: row {wrong[0]} is {labels[wrong[0]]}; needed is the number of a class.")
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "biuU":
        raise DataError(f"{where} are {labels.dtype}; needed is one integer or name for each image.")
    unlabelled = np.flatnonzero(labels == -1) if labels.dtype.kind == "i" else np.zeros(0, np.int64)
    # A set of the two classes -1 and 1 is sound.
    if unlabelled.size and (len(unlabelled) == len(labels) or len(np.unique(labels)) > 2):
        remove = "Remove these rows" if part == "train" else f"Remove these rows, or the part {part}"
        raise DataError(
            f"{where}: {len(unlabelled)} of {len(labels)} are -1, which stands for no label, the first in row "
            f"{unlabelled[0]}. {remove}. {way}".rstrip()
        )
    return labels
