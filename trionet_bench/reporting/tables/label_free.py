"""Searched without labels, beside the same space searched by labels, at random and by MACs."""

import pandas as pd

from trionet_bench.analysis.label_free import label_free
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.quantity import primary
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, absent, compact, duration, percent

_NOTE = (
    "FAB-NAS (reconstruction): of the paper (arXiv 2111.07139) only the abstract is known. It says that the space is "
    "stage-wise, that layers may take different attention operations, and that the search is self-supervised and uses "
    "context auto-regression; the operators, the skeleton, the form of the task, the supernet and the search are "
    "choices of this project, and no number here can be compared with the paper's. Same blocks: share in percent in "
    "which the found network has the operator and window of the network found by labels with the same seed. Search: "
    "supernet and search together."
)


def searched_without_labels(results: Results) -> Table | None:
    """One row for each data set, budget and model."""
    table = label_free(results)
    if table.empty:
        return None
    quantity = primary(results)
    unit = quantity.difference_bracketed
    guided = [
        DASH if absent(row.algorithm) else "labels" if absent(row.pretext) else row.pretext
        for row in table.itertuples()
    ]
    text = pd.DataFrame(
        {
            "Data set": table.dataset,
            "Budget": table.budget.map(compact),
            "Model": table.model,
            "Searched by": guided,
            "Candidates": table.evaluations.map(compact),
            "Search": [duration(seconds) if seconds else DASH for seconds in table.seconds],
            "MACs": table.macs.map(compact),
            f"Test {quantity.label}{quantity.bracketed}": table["mean"].map(quantity.number),
            f"Less by labels{unit}": table.difference.map(quantity.difference),
            "Same blocks (%)": table.same.map(percent),
            "n": table.seeds.astype(str),
        }
    )
    return Table(table, text, _NOTE, groups=2, numbers=list(text.columns[4:]))
