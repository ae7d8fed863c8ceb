"""The kinds of figures, in the order of the report."""

from trionet_bench.reporting.figures.accuracy import accuracy_against
from trionet_bench.reporting.figures.figure import FigureKind
from trionet_bench.reporting.figures.networks import draw_networks
from trionet_bench.reporting.figures.placement import draw_placement, draw_placement_macs
from trionet_bench.reporting.figures.search import draw_search_progress
from trionet_bench.reporting.figures.training import draw_supernet_probes, draw_training_curves

FIGURES = [
    FigureKind("accuracy_macs", "Accuracy against MACs", "results", accuracy_against("macs")),
    FigureKind("accuracy_params", "Accuracy against parameters", "results", accuracy_against("params")),
    FigureKind("accuracy_latency", "Accuracy against latency", "results", accuracy_against("latency_s")),
    FigureKind("placement", "Which operator was found where", "placement", draw_placement),
    FigureKind("networks", "Found networks", "placement", draw_networks),
    FigureKind("placement_macs", "MACs by stage and operator", "placement", draw_placement_macs),
    FigureKind("search_progress", "Progress of the search", "search", draw_search_progress),
    FigureKind("supernet_probes", "Children while the supernet trains", "search", draw_supernet_probes),
    FigureKind("training_curves", "Training curves", "training", draw_training_curves),
]
