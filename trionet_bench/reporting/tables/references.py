"""Every metric of networks and, below them, of what was not trained."""

import pandas as pd

from trionet_bench.analysis.references import UNTRAINED, beside, references
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.quantity import Quantity, primary
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import compact

_KEYS = ["dataset", "budget", "model", "reference"]


def beside_references(results: Results) -> Table | None:
    """One row for each model, its untrained network and each reference; None for a task without references."""
    if not references(results):
        return None
    long = beside(results)
    groups = long[_KEYS].drop_duplicates()
    order = groups.assign(
        place=groups.reference.map({"": 0, UNTRAINED: 1}).fillna(2),
        data=groups.dataset.map({name: place for place, name in enumerate(results.datasets)}),
    ).sort_values(["data", "budget", "place"], kind="stable")[_KEYS]
    text = pd.DataFrame(
        {
            "Data set": order.dataset,
            "Budget": order.budget.map(compact),
            "Of": [_subject(row.model, row.reference) for row in order.itertuples()],
        }
    )
    for metric in results.task.metrics:
        quantity = Quantity(metric)
        values = order.merge(long[long.metric == metric.name], on=_KEYS, how="left")
        text[quantity.heading] = [quantity.spread(row.mean, row.sd) for row in values.itertuples()]
    data = long.pivot(index=_KEYS, columns="metric", values="mean").reset_index().rename_axis(columns=None)
    note = (
        f"Test {primary(results).label} and the other metrics, mean ± standard deviation over seeds. Untrained: the "
        "same network before its first step, its batch norms calibrated on training images. References without a "
        "network are the same for all models."
    )
    return Table(data, text.reset_index(drop=True), note, groups=2, numbers=list(text.columns[3:]))


def _subject(model: str, reference: str) -> str:
    if not reference:
        return model
    return f"{model}, untrained" if reference == UNTRAINED else f"raw {reference}"
