"""Mean ranks of models over data sets, where there are enough of them."""

from trionet_bench.analysis.ranking import MeanRanks, mean_ranks
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import LEVEL
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.names import named
from trionet_bench.reporting.quantity import capitalised
from trionet_bench.reporting.style import INK, Style, looks, new_figure
from trionet_bench.reporting.text import compact, p_value


def draw_critical_difference(results: Results, style: Style) -> Drawing | None:
    """Critical-difference diagram: bars join models that Nemenyi's test does not tell apart."""
    ranking = mean_ranks(results)
    if not isinstance(ranking, MeanRanks):
        return None
    import scikit_posthocs  # of an optional extra

    figure = new_figure(style.page * 0.75, (0.9 + 0.16 * len(ranking.ranks)) * style.scale)
    axis = figure.subplots()
    axis.grid(visible=False)
    colours = {named(model): look.colour for model, look in looks(results.models).items()}
    parts = scikit_posthocs.critical_difference_diagram(
        ranking.ranks.rename(index=named),
        ranking.nemenyi_p.rename(index=named, columns=named),
        ax=axis,
        alpha=1 - LEVEL,
        label_fmt_left="{label} ({rank:.2f}) ",
        label_fmt_right=" ({rank:.2f}) {label}",
        label_props={"size": style.size},
        color_palette=colours,
        crossbar_props={"color": INK, "linewidth": 2.5 * style.scale, "marker": ""},
        elbow_props={"linewidth": style.line},
        marker_props={"s": 14 * style.scale, "zorder": 3},
    )
    for (crossbar,) in parts["crossbars"]:
        crossbar.set_xdata(sorted(crossbar.get_xdata()))  # their order is that of a set, which differs between runs
    for text in axis.texts:
        text.set_color(INK)  # the palette is for the lines; not all of it can be read as text
    order = ranking.ranks.sort_values()
    data = order.rename("mean_rank").rename_axis("model").reset_index()
    data["friedman_p"] = ranking.friedman_p
    finding = f"{capitalised(str(order.index[0]))} has the best mean rank over {ranking.datasets} data sets."
    note = (
        f"Largest budget, {compact(ranking.budget)}; 1 is best. Friedman's p: {p_value(ranking.friedman_p)}. "
        "Bars join models that Nemenyi's test at 5 % does not tell apart."
    )
    return Drawing(figure, data, finding, note)
