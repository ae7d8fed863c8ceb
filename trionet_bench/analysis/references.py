"""What networks achieve beside what was not trained: references of a task, such as raw pixels, in the same records."""

import pandas as pd

from trionet_bench.analysis.results import GROUP, Results
from trionet_bench.analysis.summary import in_report_order

_TRAINED = ("", "inherited", "finetuned")
UNTRAINED = "untrained"  # the network before its training, which differs from model to model
COLUMNS = [*GROUP, "reference", "metric", "mean", "sd", "n"]


def references(results: Results) -> list[str]:
    """Names of the references that records have the primary metric of, in the order of their first appearance."""
    ends = f"_{results.score}"
    names = [str(column).removesuffix(ends) for column in results.complete.columns if str(column).endswith(ends)]
    return [name for name in names if name not in _TRAINED]


def beside(results: Results) -> pd.DataFrame:
    """Mean and standard deviation over seeds of every metric on the test part, of networks and of references.

    Columns: ``COLUMNS``. ``reference`` is "" for the trained network. A reference other than the untrained network is
    the same for all models, and is listed once, under the model "".
    """
    rows = []
    metrics = [metric.name for metric in results.task.metrics]
    for name in ("", *references(results)):
        keys = GROUP if name in ("", UNTRAINED) else GROUP[:2]
        columns = {f"{name}_test_{metric}".removeprefix("_"): metric for metric in metrics}
        cells = results.complete[[*GROUP, "seed", *columns]].rename(columns=columns)
        if keys != GROUP:
            cells = cells.drop_duplicates([*keys, "seed"]).assign(model="")
        for group, of_group in cells.groupby(GROUP, sort=False):
            for metric in metrics:
                values = of_group[metric].dropna()
                rows.append((*group, name, metric, values.mean(), values.std(ddof=1), len(values)))
    return in_report_order(pd.DataFrame(rows, columns=COLUMNS), results)
