"""What single queries of a retrieval found, from the stored predictions of each cell."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from trionet_bench.analysis.predictions import at_largest_budget, stored_columns
from trionet_bench.analysis.results import Results

QUANTILES = (0.1, 0.5, 0.9)  # of the mean precision over models: a hard, a middling and an easy query


@dataclass(frozen=True, eq=False)
class Found:
    """Labels (N,) of the test images, the nearest images (N, K) of each, and its average precision (N,)."""

    labels: np.ndarray
    neighbours: np.ndarray
    precision: np.ndarray


def read_found(folder: Path) -> Found | None:
    """What lies beside a record; None where nothing does or its task retrieves nothing. StoreError if torn."""
    columns = stored_columns(folder, "labels", "neighbours", "average_precision")
    return None if columns is None else Found(*columns)


def shown_queries(results: Results, dataset: str) -> pd.DataFrame:
    """A hard, a middling and an easy query of different classes, with what each model found, at the largest budget and
    the first seed that all models have.

    Columns: query (position among the test images), label, quantile, model, rank (0 is the query itself), image,
    image_label. Empty where nothing was stored or models were tested on different images.
    """
    columns = ["query", "label", "quantile", "model", "rank", "image", "image_label"]
    cells = at_largest_budget(results)
    cells = cells[cells.dataset == dataset]
    of_all = cells.groupby("seed").model.nunique()
    cells = cells[cells.seed == of_all[of_all == of_all.max()].index.min()] if len(cells) else cells
    found = {row.model: stored for row in cells.itertuples() if (stored := read_found(row.folder)) is not None}
    found = {model: found[model] for model in results.models if model in found}
    if not found:
        return pd.DataFrame(columns=columns)
    labels = next(iter(found.values())).labels
    if any(not np.array_equal(labels, stored.labels) for stored in found.values()):
        return pd.DataFrame(columns=columns)
    rows = []
    for query, quantile in _chosen(labels, np.mean([stored.precision for stored in found.values()], axis=0)):
        for model, stored in found.items():
            images = [query, *(image for image in stored.neighbours[query].tolist() if image >= 0)]
            rows += [
                (query, int(labels[query]), quantile, model, rank, image, int(labels[image]))
                for rank, image in enumerate(images)
            ]
    return pd.DataFrame(rows, columns=columns)


def _chosen(labels: np.ndarray, precision: np.ndarray) -> list[tuple[int, float]]:
    """For each quantile the query whose precision is the nearest to it, of a class that was not chosen yet."""
    chosen: list[tuple[int, float]] = []
    usable = np.flatnonzero(~np.isnan(precision))
    for quantile in QUANTILES:
        left = usable[~np.isin(labels[usable], [labels[query] for query, _ in chosen])]
        if len(left):
            distance = np.abs(precision[left] - np.quantile(precision[usable], quantile))
            chosen.append((int(left[distance.argmin()]), quantile))
    return chosen
