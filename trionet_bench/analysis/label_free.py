"""Searches that looked at no label, beside those of the same space that did, and beside no search at all."""

import numpy as np
import pandas as pd

from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.results import Results

FAMILY = ["system", "space"]


def guided_by_labels(results: Results, rows: pd.DataFrame) -> pd.Series:
    """Which rows, of a frame that has ``CELL``, are from searches whose fitness is that of the record's task."""
    pretext = results.cells[[*CELL, "pretext"]].drop_duplicates(CELL)
    of_rows = rows[CELL].merge(pretext, on=CELL, how="left").pretext
    return pd.Series(of_rows.isna().to_numpy(), index=rows.index)


def label_free(results: Results) -> pd.DataFrame:
    """One row for each data set, budget and model of a system that also searched without labels.

    Columns: dataset, budget, model, algorithm, pretext, evaluations, seconds (of supernet and search), macs, mean (of
    the primary metric on the test part), seeds, difference (to the first model that was searched by labels, over the
    seeds of both), same (share of blocks with its operator and window, in networks of one seed).
    """
    cells = results.complete
    columns = [
        *("dataset", "budget", "model", "algorithm", "pretext", "evaluations", "seconds", "macs", "mean", "seeds"),
        *("difference", "same"),
    ]
    families = set(cells[cells.pretext.notna()][FAMILY].itertuples(index=False, name=None))
    rows = []
    if results.score in cells:
        for (dataset, budget, *family), group in cells.groupby(["dataset", "budget", *FAMILY], sort=False):
            if tuple(family) in families:
                rows += [{"dataset": dataset, "budget": budget, **row} for row in _rows(results, group)]
    return pd.DataFrame(rows, columns=columns)


def _rows(results: Results, group: pd.DataFrame) -> list[dict[str, object]]:
    by_model = {model: group[group.model == model] for model in results.models if model in set(group.model)}
    labelled = [
        model for model, cells in by_model.items() if cells.algorithm.notna().any() and cells.pretext.isna().all()
    ]
    baseline = by_model[labelled[0]] if labelled else group.head(0)
    rows = []
    for model, cells in by_model.items():
        paired = cells.merge(baseline, on="seed", suffixes=("", "_by_labels"))
        spent = [pd.to_numeric(cells[name]).fillna(0) for name in ("supernet_s", "search_s") if name in cells]
        rows.append(
            {
                "model": model,
                "algorithm": cells.algorithm.iloc[0],
                "pretext": cells.pretext.iloc[0],
                "evaluations": pd.to_numeric(cells.evaluations).mean(),
                "seconds": float(sum(spent).mean()) if spent else 0.0,
                "macs": pd.to_numeric(cells.macs).mean(),
                "mean": cells[results.score].mean(),
                "seeds": len(cells),
                "difference": (paired[results.score] - paired[f"{results.score}_by_labels"]).mean(),
                "same": _same_blocks(results, cells, baseline),
            }
        )
    return rows


def _same_blocks(results: Results, cells: pd.DataFrame, others: pd.DataFrame) -> float:
    """Mean share of blocks in which networks of one seed have the same operator, of the same window; NaN without."""
    place = ["seed", "stage", "block"]
    found = [
        results.blocks.merge(of[CELL], on=CELL)[[*place, "operator", "window"]].fillna({"window": 0})
        for of in (cells, others)
    ]
    both = found[0].merge(found[1], on=place, suffixes=("", "_other"))
    if both.empty:
        return np.nan
    return float(((both.operator == both.operator_other) & (both.window == both.window_other)).mean())
