"""The kinds of figures, in the order of the report."""

from trionet_bench.reporting.figures.accuracy import accuracy_against, draw_cost
from trionet_bench.reporting.figures.classes import draw_class_differences, draw_confusion
from trionet_bench.reporting.figures.correlation import (
    draw_fitness_scatter,
    draw_inherited_scatter,
    draw_spread_scatter,
)
from trionet_bench.reporting.figures.data_size import draw_training_set_size
from trionet_bench.reporting.figures.differences import draw_differences
from trionet_bench.reporting.figures.examples import draw_examples
from trionet_bench.reporting.figures.figure import FigureKind
from trionet_bench.reporting.figures.networks import draw_networks
from trionet_bench.reporting.figures.placement import draw_placement, draw_placement_macs
from trionet_bench.reporting.figures.ranks import draw_critical_difference
from trionet_bench.reporting.figures.recall import draw_recall
from trionet_bench.reporting.figures.retrieved import draw_retrieved
from trionet_bench.reporting.figures.search import draw_pretext_progress, draw_search_progress
from trionet_bench.reporting.figures.strip import draw_strip
from trionet_bench.reporting.figures.training import (
    draw_pretext_loss,
    draw_pretext_probes,
    draw_supernet_probes,
    draw_training_curves,
)

FIGURES = [
    FigureKind("cost", "{Noun} against latency and MACs", "opening", draw_cost),
    FigureKind("strip", "Found networks from stem to head", "opening", draw_strip),
    FigureKind("accuracy_macs", "{Noun} against MACs", "results", accuracy_against("macs")),
    FigureKind("accuracy_params", "{Noun} against parameters", "results", accuracy_against("params")),
    FigureKind("accuracy_latency", "{Noun} against latency", "results", accuracy_against("latency_s")),
    FigureKind("training_set_size", "{Noun} by training-set size", "results", draw_training_set_size),
    FigureKind("recall", "Recall by the number of images that are looked at", "results", draw_recall),
    FigureKind("critical_difference", "Mean ranks over data sets", "results", draw_critical_difference),
    FigureKind("differences", "Paired differences", "comparisons", draw_differences),
    FigureKind("placement", "Which operator was found where", "placement", draw_placement),
    FigureKind("networks", "Found networks", "placement", draw_networks),
    FigureKind("placement_macs", "MACs by stage and operator", "placement", draw_placement_macs),
    FigureKind("search_progress", "Progress of the search", "search", draw_search_progress),
    FigureKind("pretext_progress", "Progress of the search without labels", "search", draw_pretext_progress),
    FigureKind("pretext_loss", "Loss of the task without labels", "search", draw_pretext_loss),
    FigureKind("pretext_probes", "Children while the supernet trains without labels", "search", draw_pretext_probes),
    FigureKind("inherited_scatter", "Inherited against stand-alone {noun}", "search", draw_inherited_scatter),
    FigureKind("spread_scatter", "Spread architectures, inherited against alone", "search", draw_spread_scatter),
    FigureKind("fitness_scatter", "Networks near the budget, fitness against alone", "search", draw_fitness_scatter),
    FigureKind("supernet_probes", "Children while the supernet trains", "search", draw_supernet_probes),
    FigureKind("training_curves", "Training curves", "training", draw_training_curves),
    FigureKind("class_differences", "Classes that gain and lose", "images", draw_class_differences),
    FigureKind("confusion", "Confusion of classes", "images", draw_confusion),
    FigureKind("retrieved", "Queries and what they find", "images", draw_retrieved),
    FigureKind("examples", "Images that one operator gets right", "images", draw_examples),
]
