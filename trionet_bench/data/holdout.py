"""Stratified drawing, and the test part of data sets that have no official one."""

import numpy as np

from trionet_bench.randomness import derived_generator

SPLIT_SEED = 0  # of test parts that are drawn here; never the seed of a run, so that all runs share one test part
TEST_SHARE = 0.2


def stratified(labels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw ``count`` positions in which classes have the same shares as in ``labels``.

    Shares are rounded by largest remainders. One image of each class is always left over, so that fewer than ``count``
    are drawn where ``count`` is close to the number of images.

    Args:
        labels: non-negative integers (N,).

    Returns:
        Positions in ``labels``, ascending, int64.
    """
    sizes = np.bincount(labels)
    exact = count * sizes / len(labels)
    quota = np.minimum(np.floor(exact).astype(np.int64), np.maximum(sizes - 1, 0))
    for class_ in np.argsort(np.floor(exact) - exact, kind="stable"):
        if quota.sum() < count and quota[class_] < sizes[class_] - 1:
            quota[class_] += 1
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1])
    drawn = [generator.permutation(members)[:take] for members, take in zip(by_class, quota, strict=True)]
    return np.sort(np.concatenate(drawn))


def hold_out(labels: np.ndarray, count: int | None = None, name: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Divide images into a train part and a stratified test part, the same in every run.

    Args:
        labels: integers (N,), in an order that does not depend on the machine.
        count: test images; a fifth of all when not given.
        name: of the data set; sets of different names are drawn independently.

    Returns:
        Positions of the train and of the test images, ascending.
    """
    path = ("test",) if name is None else (name, "test")
    if count is None:
        count = round(TEST_SHARE * len(labels))
    test = stratified(labels, count, derived_generator(SPLIT_SEED, *path))
    return np.delete(np.arange(len(labels)), test), test


def hold_out_warning(reason: str) -> str:
    """The warning of a source that has no test part for ``reason`` and held out ``TEST_SHARE`` of its images."""
    return f"{reason}: {TEST_SHARE:.0%} of each class are held out as test, the same in every run"
