"""Does a supernet rank architectures as training them does?"""

from matplotlib.lines import Line2D

from trionet_bench.analysis.ranking import (
    FEW,
    architectures,
    correlations,
    ranked_architectures,
    supernet_correlations,
)
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.figures.figure import Drawing, LeftOut
from trionet_bench.reporting.names import named
from trionet_bench.reporting.quantity import primary
from trionet_bench.reporting.style import (
    INK,
    OTHER_COLOUR,
    Style,
    label_outer,
    looks,
    panels,
    same_limits,
    shared_legend,
)
from trionet_bench.reporting.text import compact, tau_text
from trionet_bench.units import counted

MAX_PANELS = 6
_MOST_SUPERNETS = 12
_LEAST = 8  # architectures


def draw_inherited_scatter(results: Results, style: Style) -> Drawing | LeftOut | None:
    """One point an architecture: the primary metric with inherited weights against that of training from scratch."""
    table = architectures(results)
    quantity = primary(results)
    known = {results.measured(part, "inherited"): words for part, words in (("test", "test"), ("val", "validation"))}
    metric = next((name for name in known if name in table), None)
    if metric is None:
        return None
    table = table.dropna(subset=[metric])
    rank = correlations(results)
    if rank.empty:
        return None
    rank = rank[rank.metric == metric].set_index("dataset")
    if rank.n.max() < _LEAST:
        return LeftOut(f"fewer than {_LEAST} networks of a data set show no order")
    datasets = [name for name in results.datasets if name in rank.index][:MAX_PANELS]
    look = looks(results.models)
    models = [name for name in results.models if name in set(table.model)]
    figure, axes = panels(style, len(datasets), height=2.2)
    for axis, dataset in zip(axes, datasets, strict=True):
        for model in models:
            rows = table[(table.dataset == dataset) & (table.model == model)]
            way = look[model]
            axis.scatter(
                quantity.scale * rows[metric],
                quantity.scale * rows[results.score],
                s=16 * style.scale**2,
                marker=way.marker,
                c=way.colour,
                alpha=0.8,
                lw=0,
            )
        axis.grid(visible=True)
        axis.set_title(f"{named(dataset)}: τ = {tau_text(rank.tau[dataset])}, n = {int(rank.n[dataset])}")
    label_outer(axes, quantity.axis(known[metric], " with inherited weights"), quantity.axis("test", ", trained alone"))
    handles = [Line2D([], [], ls="", marker=look[m].marker, color=look[m].colour) for m in models]
    if len(models) > 1 and len(models) <= 8:
        shared_legend(figure, handles, models, style)
    shown = rank.dropna(subset=["tau_low"])
    clear = shown[shown.tau_low > 0]
    finding = (
        f"Kendall's tau-b of inherited with stand-alone {quantity.noun} is shown to be above 0 on {len(clear)} of "
        f"{counted(len(rank), 'data set')}."
    )
    note = "Seeds of one architecture averaged; intervals by bootstrap over architectures."
    if (rank.n < FEW).any():
        note += f" Fewer than {FEW} architectures: a rank correlation then says little."
    return Drawing(figure, table, finding, note)


def draw_spread_scatter(results: Results, style: Style) -> Drawing | None:
    """A panel for each supernet, one point an architecture, with and without recalibration."""
    quantity = primary(results)
    inherited = quantity.axis("validation", " with inherited weights")
    return _spread(results, style, "metric", quantity.scale, inherited)


def draw_fitness_scatter(results: Results, style: Style) -> Drawing | None:
    """The same of supernets that score by what a search in them maximises."""
    return _spread(results, style, "fitness", 1, "fitness with inherited weights")


def _spread(results: Results, style: Style, scored_by: str, scale: float, inherited: str) -> Drawing | None:
    """``scale`` of the scores, and their axis."""
    table = ranked_architectures(results)
    table = table[table.scored_by == scored_by]
    if table.empty:
        return None
    quantity = primary(results)
    recalibrated = results.measured("val", "inherited")
    shared = f"{recalibrated}_not_recalibrated"
    group = ["dataset", "budget", "model"]
    rank = supernet_correlations(results).set_index([*group, "metric"])
    supernets = list(table.groupby(group, sort=False).groups)
    raised = sum(bool(rank.tau[(*key, recalibrated)] > rank.tau[(*key, shared)]) for key in supernets)
    places = supernets[:_MOST_SUPERNETS]
    figure, axes = panels(style, len(places), height=2.2)
    several = [len({place[i] for place in places}) > 1 for i in (0, 1)]
    for axis, place in zip(axes, places, strict=True):
        rows = table.set_index(group).loc[[place]]
        for metric, marker, colour in ((shared, "x", OTHER_COLOUR), (recalibrated, "o", INK)):
            x, y = scale * rows[metric], quantity.scale * rows[results.measured("val")]
            axis.scatter(x, y, s=14 * style.scale**2, marker=marker, c=colour, alpha=0.8, lw=0.8)
        best = rank.loc[(*place, recalibrated)]
        axis.grid(visible=True)
        where = zip((place[0], compact(place[1])), several, strict=True)
        words = [*(part for part, varies in where if varies), place[2]]
        axis.set_title(f"{' '.join(map(named, words))}: τ = {tau_text(best.tau)}, n = {int(best.n)}")
    if scored_by == "metric":
        same_limits(axes)
    label_outer(axes, inherited, quantity.axis("validation", ", trained alone"))
    handles = [Line2D([], [], ls="", marker=m, color=c) for m, c in (("o", INK), ("x", OTHER_COLOUR))]
    shared_legend(figure, handles, ["recalibrated", "statistics in common"], style)
    note = "Seeds of one architecture averaged; intervals by bootstrap over architectures."
    if (rank.n < FEW).any():
        note += f" Fewer than {FEW} architectures: a rank correlation then says little."
    score = f"inherited {'fitness' if scored_by == 'fitness' else ''}".strip()
    finding = (
        f"Recalibration raises Kendall's tau-b of {score} with stand-alone {quantity.noun} in {raised} of "
        f"{counted(len(supernets), 'supernet')}."
    )
    return Drawing(figure, table, finding, note)
