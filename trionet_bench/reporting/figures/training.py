"""How training went: the primary metric of final networks by epoch, and of fixed children of a supernet."""

from typing import Any

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from trionet_bench.analysis.history import histories
from trionet_bench.analysis.label_free import guided_by_labels
from trionet_bench.analysis.results import Results
from trionet_bench.records.layout import PRETEXT
from trionet_bench.reporting.figures.figure import Drawing, LeftOut, most_often
from trionet_bench.reporting.names import named
from trionet_bench.reporting.quantity import capitalised, primary
from trionet_bench.reporting.style import (
    OTHER_COLOUR,
    Style,
    label_outer,
    looks,
    operator_colour,
    panels,
    shared_legend,
)
from trionet_bench.reporting.text import compact
from trionet_bench.spaces.operators import OPERATORS
from trionet_bench.units import counted

MAX_PANELS = 6


def draw_training_curves(results: Results, style: Style) -> Drawing | LeftOut | None:
    """The primary metric on validation images by epoch at the largest budget, mean and range over seeds.

    On training images where none was measured on validation images; None where none was measured at all.
    """
    quantity = primary(results)
    datasets = [name for name in results.datasets if name in set(results.complete.dataset)][:MAX_PANELS]
    cells = results.complete[results.complete.dataset.isin(datasets)]
    largest = cells.groupby("dataset").budget.transform("max")
    history = histories(cells[cells.budget == largest])
    if history.empty:
        return None
    parts = {results.measured("val"): "validation", results.measured("train"): "training"}
    metric = next((name for name in parts if name in history and history[name].notna().any()), None)
    if metric is None:
        return None
    part = parts[metric]
    history = history[history.phase == "retrain"].dropna(subset=[metric])
    bands = (
        history.groupby(["dataset", "budget", "model", "epoch"])[metric]
        .agg(middle="mean", low="min", high="max", seeds="count")
        .reset_index()
    )
    if bands.empty:
        return None
    if bands.groupby(["dataset", "model"]).size().max() == 1:
        return LeftOut("one epoch is a single point of each curve")
    bands["epoch"] += 1 - min(int(bands.epoch.min()), 1)
    look = looks(results.models)
    figure, axes = panels(style, bands.dataset.nunique(), height=1.9)
    drawn = [name for name in datasets if name in set(bands.dataset)]
    for axis, dataset in zip(axes, drawn, strict=True):
        rows = bands[bands.dataset == dataset]
        for model in results.models:
            line = rows[rows.model == model].sort_values("epoch")
            if line.empty:
                continue
            way = look[model]
            low, high = quantity.scale * line.low, quantity.scale * line.high
            axis.fill_between(line.epoch, low, high, color=way.colour, alpha=0.15, lw=0)
            axis.plot(line.epoch, quantity.scale * line.middle, color=way.colour, ls=way.line)
        axis.set_title(f"{named(dataset)}, {compact(rows.budget.iloc[0])}")
    for axis in axes:
        axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    label_outer(axes, "epoch", quantity.axis(part))
    models = [model for model in results.models if model in set(bands.model)]
    handles = [Line2D([], [], color=look[model].colour, ls=look[model].line) for model in models]
    shared_legend(figure, handles, models, style)
    last = bands[bands.epoch == bands.groupby(["dataset", "model"]).epoch.transform("max")]
    ends = {
        dataset: group.sort_values("middle").iloc[-1 if quantity.direction > 0 else 0]
        for dataset, group in last.groupby("dataset", sort=False)
    }
    leader, where = most_often(row.model for row in ends.values())
    finding = f"{capitalised(leader)} ends with the {quantity.best} {part} {quantity.noun}{where}."
    note = (
        f"Networks {results.division or 'trained from scratch'}, at the largest budget. Lines: mean over seeds; bands: "
        "least and greatest seed."
    )
    return Drawing(figure, bands, finding, note)


def draw_supernet_probes(results: Results, style: Style) -> Drawing | LeftOut | None:
    """The primary metric of fixed children of the supernet, recalibrated, on the images that guide the search."""
    quantity = primary(results)
    probes = results.probes[guided_by_labels(results, results.probes)]
    probes = probes.assign(value=quantity.direction * probes.fitness)
    upwards = quantity.direction > 0
    return _drawn_probes(results, probes, style, quantity.axis("inherited"), quantity.scale, upwards)


def draw_pretext_probes(results: Results, style: Style) -> Drawing | LeftOut | None:
    """The same for a supernet that is trained without labels: minus the error of its own task."""
    probes = results.probes[~guided_by_labels(results, results.probes)]
    probes = probes.assign(value=probes.fitness)
    return _drawn_probes(results, probes, style, "fitness without labels", 1, True)


def _drawn_probes(
    results: Results,
    probes: pd.DataFrame,
    style: Style,
    axis_label: str,
    scale: float,
    higher_is_better: bool,
) -> Drawing | LeftOut | None:
    """``probes`` have a column ``value``; of several supernets the first is drawn."""
    if probes.empty:
        return None
    probes = probes[probes.level == 1].drop_duplicates(["dataset", "seed", "model", "epoch", "probe"])
    first = next(model for model in results.models if model in set(probes.model))
    probes = probes[probes.model == first]
    if probes.epoch.nunique() == 1:
        return LeftOut("one epoch is a single point of each curve")
    bands = (
        probes.groupby(["dataset", "probe", "epoch"], sort=False)
        .value.agg(middle="mean", low="min", high="max", seeds="count")
        .reset_index()
    )
    datasets = [name for name in results.datasets if name in set(bands.dataset)][:MAX_PANELS]
    names = list(dict.fromkeys(bands.probe))
    figure, axes = panels(style, len(datasets), height=1.9)
    ways = _probe_looks(names)
    for axis, dataset in zip(axes, datasets, strict=True):
        for name in names:
            line = bands[(bands.dataset == dataset) & (bands.probe == name)].sort_values("epoch")
            colour, dashes = ways[name]
            axis.fill_between(line.epoch, scale * line.low, scale * line.high, color=colour, alpha=0.12, lw=0)
            axis.plot(line.epoch, scale * line.middle, color=colour, ls=dashes, marker="o", ms=2 * style.scale)
        axis.set_title(dataset)
        axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    label_outer(axes, "epoch of the supernet", axis_label)
    shared_legend(figure, [Line2D([], [], color=ways[n][0], ls=ways[n][1]) for n in names], names, style)
    end = (
        bands[bands.epoch == bands.epoch.max()]
        .groupby("probe")
        .middle.mean()
        .sort_values(ascending=not higher_is_better)
    )
    finding = f"When the supernet is trained, “{end.index[0]}” is the best of its {counted(len(end), 'fixed network')}."
    note = (
        f"Supernet of {first}. Fixed children on the images that guide the search. Lines: mean over seeds; bands: "
        "least and greatest seed."
    )
    return Drawing(figure, bands, finding, note)


def draw_pretext_loss(results: Results, style: Style) -> Drawing | LeftOut | None:
    """The training loss of supernets that are trained without labels, by epoch."""
    cells = results.complete[results.complete.pretext.notna()]
    history = histories(cells)
    history = history[history.phase == PRETEXT]
    if history.empty:
        return None
    bands = (
        history.groupby(["dataset", "model", "epoch"], sort=False)
        .train_loss.agg(middle="mean", low="min", high="max", seeds="count")
        .reset_index()
    )
    datasets = [name for name in results.datasets if name in set(bands.dataset)][:MAX_PANELS]
    look = looks(results.models)
    models = [name for name in results.models if name in set(bands.model)]
    figure, axes = panels(style, len(datasets), height=1.9)
    for axis, dataset in zip(axes, datasets, strict=True):
        for model in models:
            line = bands[(bands.dataset == dataset) & (bands.model == model)].sort_values("epoch")
            way = look[model]
            axis.fill_between(line.epoch, line.low, line.high, color=way.colour, alpha=0.15, lw=0)
            axis.plot(line.epoch, line.middle, color=way.colour, ls=way.line)
        axis.set_title(named(dataset))
        axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    label_outer(axes, "epoch of the supernet", "training loss without labels")
    shared_legend(figure, [Line2D([], [], color=look[m].colour, ls=look[m].line) for m in models], models, style)
    ends = bands.sort_values("epoch").groupby(["dataset", "model"], sort=False).middle
    finding = "; ".join(
        f"on {dataset} from {ends.first()[dataset, model]:.3f} to {ends.last()[dataset, model]:.3f} ({model})"
        for dataset, model in ends.groups
    )
    note = (
        "Mean over the steps of an epoch, each of one child. Models that search one supernet have one line. Lines: "
        "mean over seeds and budgets; bands: least and greatest."
    )
    return Drawing(figure, bands, f"Loss of the task without labels: {finding}.", note)


def _probe_looks(names: list[str]) -> dict[str, tuple[str, Any]]:
    dashes: list[Any] = ["-", (0, (5, 1.5)), (0, (1, 1)), (0, (7, 1, 1, 1)), (0, (3, 1)), (0, (9, 2))]
    spare = iter(["#882255", "#332288", "#56b4e9", "#aa7733", "#77841d", "#cc79a7"])
    ways: dict[str, tuple[str, Any]] = {}
    for place, name in enumerate(names):
        operator = name.removeprefix("all-")  # a network of one operator
        colour = operator_colour(operator) if operator in OPERATORS else next(spare, OTHER_COLOUR)
        ways[name] = (colour, dashes[place % len(dashes)])
    return ways
