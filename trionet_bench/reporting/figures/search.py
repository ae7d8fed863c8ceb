"""How the searches went: best fitness so far over candidates scored, with random search beside it."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from trionet_bench.analysis.label_free import guided_by_labels
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.figures.figure import Drawing, LeftOut, most_often
from trionet_bench.reporting.names import named
from trionet_bench.reporting.quantity import capitalised, primary
from trionet_bench.reporting.style import Style, label_outer, looks, panels, shared_legend
from trionet_bench.reporting.text import compact

MAX_PANELS = 6


def progress(generations: pd.DataFrame) -> pd.DataFrame:
    """Best so far at every number of evaluations that some seed reports: mean and range over seeds."""
    rows = []
    for (dataset, budget, model), group in generations.groupby(["dataset", "budget", "model"], sort=False):
        ordered = group.sort_values(["seed", "evaluations"])
        runs = [(run.evaluations.to_numpy(), run.best_fitness.to_numpy()) for _, run in ordered.groupby("seed")]
        first, last = max(counts[0] for counts, _ in runs), min(counts[-1] for counts, _ in runs)
        points = np.unique(np.concatenate([counts for counts, _ in runs]))
        points = points[(points >= first) & (points <= last)]
        best = np.array([fitness[np.searchsorted(counts, points, side="right") - 1] for counts, fitness in runs])
        for point, values in zip(points, best.T, strict=True):
            rows.append((dataset, budget, model, int(point), values.mean(), values.min(), values.max(), len(values)))
    return pd.DataFrame(rows, columns=["dataset", "budget", "model", "evaluations", "best", "low", "high", "seeds"])


def draw_search_progress(results: Results, style: Style) -> Drawing | LeftOut | None:
    """One panel for each data set at its largest budget: every model searched by its task, random search among them."""
    generations = results.generations[guided_by_labels(results, results.generations)]
    by_loss = set(results.cells[results.cells.pretext.isna()].fitness.dropna()) == {"loss"}
    return _drawn(results, generations, style, "the loss" if by_loss else None)


def draw_pretext_progress(results: Results, style: Style) -> Drawing | LeftOut | None:
    """The same of models that were searched without labels."""
    generations = results.generations[~guided_by_labels(results, results.generations)]
    return _drawn(results, generations, style, "what the task without labels minimises")


def _drawn(results: Results, generations: pd.DataFrame, style: Style, loss: str | None) -> Drawing | LeftOut | None:
    """``loss`` says in words what is minimised, where that is not the primary metric of the task."""
    largest = generations.groupby("dataset").budget.transform("max")
    table = progress(generations[generations.budget == largest])
    if table.empty:
        return None
    if table.groupby(["dataset", "model"]).best.nunique().max() == 1:
        return LeftOut("no search found a better candidate than its first")
    datasets = [name for name in results.datasets if name in set(table.dataset)][:MAX_PANELS]
    models = [name for name in results.models if name in set(table.model)]
    look, quantity = looks(results.models), primary(results)
    figure, axes = panels(style, len(datasets), height=1.9)
    scale = 1 if loss else quantity.scale
    for axis, dataset in zip(axes, datasets, strict=True):
        rows = table[table.dataset == dataset]
        for model in models:
            line = rows[rows.model == model]
            way = look[model]
            axis.fill_between(
                line.evaluations, scale * line.low, scale * line.high, step="post", color=way.colour, alpha=0.15, lw=0
            )
            axis.step(
                line.evaluations,
                scale * line.best,
                where="post",
                color=way.colour,
                ls=way.line,
                marker=way.marker,
                ms=3 * style.scale,
            )
        axis.set_title(f"{named(dataset)}, {compact(rows.budget.iloc[0])}")
    label_outer(axes, "candidates scored", f"best fitness so far{'' if loss else quantity.bracketed}")
    handles = [Line2D([], [], color=look[m].colour, ls=look[m].line, marker=look[m].marker) for m in models]
    shared_legend(figure, handles, models, style)
    ends = table.groupby(["dataset", "model"], sort=False).best.last().unstack("dataset")
    leader, where = most_often(ends[datasets].idxmax())
    finding = f"{capitalised(leader)} ends with the fittest candidate{where}."
    if len(models) == 1:
        finding = f"The best candidate of {leader} improves while it searches."
    several = " In a search of several levels each begins anew." if (generations.level > 1).any() else ""
    fitness = quantity.noun if quantity.direction > 0 else f"minus {quantity.noun}"
    fitness = f"minus {loss}" if loss else fitness
    note = (
        f"Fitness is {fitness} on images cut from train, with inherited weights. Largest budget; lines: mean over "
        f"seeds, bands: least and greatest seed.{several}"
    )
    return Drawing(figure, table, finding, note)
