"""The primary metric against what a network costs: MACs, parameters, latency."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from trionet_bench.analysis.controls import asked_datasets
from trionet_bench.analysis.pareto import front
from trionet_bench.analysis.results import GROUP, Results
from trionet_bench.analysis.summary import summarise
from trionet_bench.reporting.figures.figure import Drawing, LeftOut
from trionet_bench.reporting.quantity import Quantity, capitalised, primary
from trionet_bench.reporting.style import GRID, MUTED, Look, Style, label_outer, looks, panels, shared_legend
from trionet_bench.reporting.text import compact, interval_words, listed
from trionet_bench.units import counted

MAX_PANELS = 9
_LEAST_TICKS = 3
FRONT = "the wide grey line is the front of the means."

_COSTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "macs": ("MACs", compact),
    "params": ("parameters", compact),
    "latency_s": ("latency, one image (ms)", lambda seconds: f"{1e3 * seconds:.3g}"),
}


def draw_cost(results: Results, style: Style) -> Drawing | LeftOut | None:
    """The mean over data sets against latency, where it was measured, and against MACs, in a panel each."""
    table = _over_data_sets(results)
    if table.empty:
        some = not results.complete.empty and bool(results.competitors)
        return LeftOut("no model has results on all data sets yet") if some else None
    if len(table) == 1:
        return LeftOut(f"{table.model.iloc[0]} is the only model that has results on all data sets, a single point")
    costs = [name for name in ("latency_s", "macs") if name in table and table[name].notna().any()]
    look, quantity = looks(results.models), primary(results)
    figure, axes = panels(style, len(costs), sharey=True)
    for axis, cost in zip(axes, costs, strict=True):
        rows = table.assign(cost=table[cost]).dropna(subset=["cost"])
        label, shown = _COSTS[cost]
        complete = rows[rows.complete]
        on_front = front(complete.cost.tolist(), complete["mean"].tolist(), quantity.direction)
        rows["front"] = False
        rows.loc[complete.index, "front"] = on_front
        table[f"front_{cost}"] = rows.front
        _panel(axis, rows, look, quantity)
        _log_scale(axis, rows.cost.tolist(), shown)
        axis.set_xlabel(capitalised(label))
    for axis in axes[:: axes[0].get_gridspec().ncols]:
        axis.set_ylabel(quantity.axis("test"))
    drawn = [model for model in results.models if model in set(table.model)]
    shared_legend(figure, _handles(drawn, look, style), [*drawn, "front"], style)
    data_sets = table.attrs["datasets"]
    over = f"Means over {counted(data_sets, 'data set')}" if data_sets > 1 else "Means over seeds"
    note = f"{over}{interval_words(table.interval)}; {FRONT}"
    if "latency_s" in costs:
        note += " Latency: the median of one image where the cells ran, beside whatever ran there."
    if not table.complete.all():
        note += " Open markers lack seeds and are not part of the front."
    best = table.loc[(quantity.direction * table["mean"]).idxmax()]
    alt = f"{best.model} has the {quantity.best} mean {quantity.noun} of {counted(len(drawn), 'model')}"
    less = [_COSTS[cost][0].split(",")[0] for cost in costs if table[cost].idxmin() == best.name]
    return Drawing(figure, table, f"{capitalised(alt)}{f' and the lowest {listed(less)}' if less else ''}.", note)


def _over_data_sets(results: Results) -> pd.DataFrame:
    """Mean over data sets, each counting alike, of the models that have all of them, by budget, with the interval."""
    table = summarise(results)
    chosen = asked_datasets(results)
    table = table[table.shown & table.dataset.isin(chosen)].dropna(subset=["mean"])
    if "latency_s" in results.complete:
        table = table.merge(results.complete.groupby(GROUP).latency_s.mean().reset_index(), on=GROUP, how="left")
    table = table.assign(square=((table.high - table.low) / 2) ** 2)
    names = [name for name in ("mean", "macs", "latency_s") if name in table]
    grouped = table.groupby(["budget", "model"], sort=False)
    means = grouped[names].mean()
    half = np.sqrt(grouped.square.sum(min_count=len(chosen))) / len(chosen)
    means = means.assign(low=means["mean"] - half, high=means["mean"] + half, complete=grouped.complete.all())
    means["interval"] = grouped.interval.first()
    means = means[grouped.size() == len(chosen)].reset_index()
    means.attrs["datasets"] = len(chosen)
    return means


def accuracy_against(cost: str) -> Callable[[Results, Style], Drawing | LeftOut | None]:
    """A builder of the figure of the primary metric against the column ``cost`` of the cells."""

    def build(results: Results, style: Style) -> Drawing | LeftOut | None:
        if cost not in results.complete or results.complete[cost].isna().all():
            return None
        if cost != "params" and len(results.datasets) == 1:
            return None  # the first figure of the report shows it
        table = _points(results, cost)
        if table.empty:
            return None
        if len(table) == table.dataset.nunique():
            return LeftOut("each data set has a single point")
        if cost == "params" and _in_proportion(results):
            return LeftOut("parameters are in proportion to MACs, against which the same curves are drawn")
        return _draw(results, table, cost, style)

    return build


def _in_proportion(results: Results) -> bool:
    """Whether parameters, within 5 %, are as many for every MAC in all networks."""
    ratio = results.complete.params / results.complete.macs
    return bool(ratio.max() <= 1.05 * ratio.min())


def _points(results: Results, cost: str) -> pd.DataFrame:
    """Mean metric and mean cost of every group that has a seed, and whether it lies on the front of its data set."""
    costs = results.complete.groupby(GROUP)[cost].mean().rename("cost").reset_index()
    table = summarise(results).drop(columns=["macs", "params"]).merge(costs, on=GROUP).dropna(subset=["mean", "cost"])
    table["front"] = False
    for _, group in table.groupby("dataset", sort=False):
        complete = group[group.complete]
        on_front = front(complete.cost.tolist(), complete["mean"].tolist(), primary(results).direction)
        table.loc[complete.index, "front"] = on_front
    return table.reset_index(drop=True)


def _draw(results: Results, table: pd.DataFrame, cost: str, style: Style) -> Drawing:
    label, shown = _COSTS[cost]
    quantity = primary(results)
    datasets = [name for name in results.datasets if name in set(table.dataset)]
    look = looks(results.models)
    figure, axes = panels(style, min(len(datasets), MAX_PANELS))
    for axis, dataset in zip(axes, datasets, strict=False):
        rows = table[table.dataset == dataset]
        _panel(axis, rows, look, quantity)
        axis.set_title(dataset)
        _log_scale(axis, rows.cost.tolist(), shown)
    label_outer(axes, capitalised(label), quantity.axis("test"))
    drawn = [model for model in results.models if model in set(table.model)]
    shared_legend(figure, _handles(drawn, look, style), [*drawn, "front"], style)
    data = _data(table, cost, results.score)
    return Drawing(figure, data, _finding(table, label, quantity), _note(table, datasets))


def _handles(models: Sequence[str], look: dict[str, Look], style: Style) -> list[Line2D]:
    """Of the legend: the models, and the front."""
    lines = [Line2D([], [], color=look[m].colour, marker=look[m].marker, ls=look[m].line) for m in models]
    return [*lines, Line2D([], [], color=MUTED, lw=style.line * 2.5, alpha=0.35)]


def _log_scale(axis: Axes, costs: list[float], shown: Callable[[float], str]) -> None:
    low, high = _limits(costs)
    axis.set_xscale("log")
    axis.set_xlim(low, high)
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xticks(_ticks(low, high))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value)))


def _limits(costs: list[float]) -> tuple[float, float]:
    """Around all costs; costs that are about equal are not spread over the whole axis."""
    room = max((max(costs) / min(costs)) ** 0.12, 1.12)
    return min(costs) / room, max(costs) * room


def _panel(axis: Axes, rows: pd.DataFrame, look: dict[str, Look], quantity: Quantity) -> None:
    scale = quantity.scale
    best = rows[rows.front].sort_values("cost")
    if len(best):
        right = _limits(rows.cost.tolist())[1]
        axis.step(
            [*best.cost, right],
            [*(scale * best["mean"]), scale * best["mean"].iloc[-1]],
            where="post",
            color=MUTED,
            alpha=0.3,
            lw=3,
            solid_capstyle="butt",
            zorder=1,
        )
    for model, group in rows.groupby("model", sort=False):
        group = group.sort_values("cost")
        way = look[str(model)]
        axis.plot(group.cost, scale * group["mean"], color=way.colour, ls=way.line, zorder=2)
        known = group[group.complete & group.low.notna()]
        bounds = scale * np.array([known["mean"] - known.low, known.high.clip(upper=quantity.upper) - known["mean"]])
        middle = scale * known["mean"]
        axis.errorbar(known.cost, middle, bounds, fmt="none", ecolor=way.colour, elinewidth=0.7, alpha=0.7, zorder=2)
        for complete, part in group.groupby("complete"):
            face = way.colour if complete else "none"
            axis.plot(part.cost, scale * part["mean"], ls="", marker=way.marker, mfc=face, mec=way.colour, zorder=3)
    axis.yaxis.set_major_locator(MaxNLocator(5))
    axis.tick_params(axis="x", color=GRID)


def _ticks(low: float, high: float) -> list[float]:
    """Three round values or more between the ends of an axis, far enough apart to be read."""
    candidates = [digit * 10.0**power for power in range(-9, 16) for digit in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)]
    apart = (high / low) ** 0.19
    chosen: list[float] = []
    for value in candidates:
        if low <= value <= high and (not chosen or value >= chosen[-1] * apart):
            chosen.append(value)
    for parts in range(3, 9):
        if len(chosen) >= _LEAST_TICKS:
            break
        even = MaxNLocator(parts, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        chosen = [float(value) for value in even if low <= value <= high]
    return chosen


def _data(table: pd.DataFrame, cost: str, score: str) -> pd.DataFrame:
    columns = [*GROUP, "cost", "mean", "sd", "low", "high", "interval", "n", "expected", "front"]
    return table[columns].rename(columns={"cost": cost, "mean": score})


def _finding(table: pd.DataFrame, label: str, quantity: Quantity) -> str:
    """Which model is on the front most often."""
    fronts = table[table.front].drop_duplicates(["dataset", "model"])
    if fronts.empty:
        return f"No group has all of its seeds yet, so there is no front of {quantity.noun} against {label}."
    often = fronts.model.value_counts(sort=False)
    leaders = [str(model) for model in often.index[often == often.max()]]
    sets = table.dataset.nunique()
    where = f" on {often.max()} of {sets} data sets" if sets > 1 else ""
    verb = "is" if len(leaders) == 1 else "are"
    return capitalised(f"{listed(leaders)} {verb} on the front of {quantity.noun} against {label}{where}.")


def _note(table: pd.DataFrame, datasets: list[str]) -> str:
    seeds = sorted(set(table.n))
    span = counted(seeds[0], "seed") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    note = f"Means over {span}{interval_words(table.interval)}; {FRONT}"
    if not table.complete.all():
        note += " Open markers lack seeds and are not part of the front."
    if len(datasets) > MAX_PANELS:
        note += f" The first {MAX_PANELS} of {len(datasets)} data sets are drawn; the data have all."
    return note
