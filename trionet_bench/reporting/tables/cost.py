"""What the results took: time, speed, memory, candidates."""

import numpy as np
import pandas as pd

from trionet_bench.analysis.pareto import hypervolumes
from trionet_bench.analysis.results import GROUP, Results
from trionet_bench.analysis.summary import in_report_order
from trionet_bench.reporting.quantity import primary
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, compact, duration, interval, memory, percent

_TIMES = {
    "supernet_s": "Supernet",
    "search_s": "Search",
    "select_s": "Comparing",
    "alone_s": "All alone",
    "retrain_s": "Training",
    "finetune_s": "Fine-tuning",
    "evaluate_s": "Evaluation",
}


def cost(results: Results) -> Table | None:
    """Mean time of each step, training speed, peak memory and candidates scored, by group."""
    cells = results.complete.copy()
    times = [name for name in _TIMES if name in cells]
    if cells.empty or not times:
        return None
    epochs = pd.to_numeric(cells.recipe.map(lambda recipe: recipe.get("epochs")), errors="coerce")
    seconds = cells.retrain_s if "retrain_s" in cells else np.nan
    cells["images_per_s"] = epochs * pd.to_numeric(cells.train_images) / seconds
    columns = [*times, "images_per_s", "peak_memory_bytes", "evaluations", "acceptance_rate"]
    cells[columns] = cells[columns].apply(pd.to_numeric)
    table = in_report_order(cells.groupby(GROUP, sort=False)[columns].mean().reset_index(), results)
    text = pd.DataFrame({"Data set": table.dataset, "Budget": table.budget.map(compact), "Model": table.model})
    for name in times:
        text[_TIMES[name]] = table[name].map(duration)
    note = (
        f"Means over finished cells on {', '.join(sorted(set(results.complete.device)))}. One supernet serves every "
        "budget of its data set and seed, and every way to search it; its time is given with each."
    )
    if "select_s" in times:
        note += " Comparing: training the best distributions of GLiT's first level, each alone."
    if "alone_s" in times:
        note += " All alone: training every ranked architecture by itself, for all supernets of a seed together."
    if table.images_per_s.notna().any():
        text["Images/s"] = table.images_per_s.map(compact)
        note += " Images/s: training images times epochs over the time of training."
    if table.peak_memory_bytes.notna().any():
        text["Memory"] = table.peak_memory_bytes.map(memory)
    if table.evaluations.notna().any():
        text["Candidates"] = table.evaluations.map(compact)
        text["Legal"] = [percent(share, 0) for share in table.acceptance_rate]
        note += " Legal: share in percent of drawn candidates that fit the budget."
    return Table(table, text, note, groups=2, numbers=list(text.columns[3:]))


def covered_area(results: Results) -> Table | None:
    """Hypervolume of each model over its budgets."""
    table = hypervolumes(results)
    if table.empty:
        return None
    text = pd.DataFrame(
        {
            "Data set": table.dataset,
            "Model": table.model,
            "Budgets": table.budgets.astype(str),
            "Hypervolume (%)": table.hypervolume.map(percent),
            "95 % interval": [interval(row.low, row.high) for row in table.itertuples()],
            "n": [str(n) if n else DASH for n in table.n],
        }
    )
    note = (
        f"Share of the plane of {primary(results).noun} against MACs that a model's budgets cover, up to 1.05 times "
        "the largest budget and down to chance; one value a seed, mean and 95 % t-interval over seeds."
    )
    return Table(table, text, note, groups=1, numbers=list(text.columns[2:]))
