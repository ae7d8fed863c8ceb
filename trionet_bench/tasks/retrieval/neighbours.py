"""What a set of embeddings finds in itself: ranks, precisions and the nearest images of every query."""

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

KEPT = 8  # neighbours of a query that are stored, for pictures


def retrieved(embeddings: np.ndarray, labels: np.ndarray, deepest: int) -> dict[str, np.ndarray]:
    """Columns (N, ...) of a leave-one-out search by cosine.

    Args:
        embeddings: (N, D), of any length.
        labels: class numbers (N,).
        deepest: largest rank at which a match still counts.

    Returns:
        ``labels``; ``neighbours`` (N, 8), positions of the nearest, -1 where there are fewer; ``first_match`` (N,), the
        rank from 1 of the nearest of the same class, 0 where none is among those looked at; ``average_precision`` (N,)
        over the first R, the number of others of its class (Musgrave et al. 2020, arXiv 2003.08505): the mean over
        these R ranks of the precision at the rank where it is a match, and of 0 where it is none; NaN where R is 0.
    """
    unit = normalize(embeddings.astype(np.float64))  # (N, D); of unit vectors, order by distance is order by cosine
    of_class = np.bincount(labels)
    relevant = of_class[labels] - 1  # (N,): R
    looked_at = min(max(deepest, KEPT, int(relevant.max())), len(unit) - 1)
    search = NearestNeighbors(n_neighbors=looked_at, algorithm="brute").fit(unit)
    nearest = search.kneighbors(return_distance=False)  # (N, K), a query is not its own neighbour
    match = labels[nearest] == labels[:, None]
    first = np.where(match.any(axis=1), match.argmax(axis=1) + 1, 0)
    ranks = np.arange(1, looked_at + 1)
    gains = np.where(match & (ranks <= relevant[:, None]), match.cumsum(axis=1) / ranks, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        precision = np.where(relevant > 0, gains / np.maximum(relevant, 1), np.nan)
    kept = np.full((len(unit), KEPT), -1, np.int32)
    kept[:, : min(KEPT, looked_at)] = nearest[:, :KEPT]
    return {
        "labels": labels.astype(np.int32),
        "neighbours": kept,
        "first_match": first.astype(np.int32),
        "average_precision": precision,
    }
