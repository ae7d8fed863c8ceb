"""The kinds of tables, in the order of the report."""

from trionet_bench.reporting.tables.ablations import (
    operator_ablation,
    spread_correlation,
    supernet_ablation,
    supernet_correlation,
)
from trionet_bench.reporting.tables.architectures import searched_architectures
from trionet_bench.reporting.tables.comparisons import declared_comparisons
from trionet_bench.reporting.tables.controls import known_placements
from trionet_bench.reporting.tables.cost import cost, covered_area
from trionet_bench.reporting.tables.datasets import datasets_by_models
from trionet_bench.reporting.tables.images import image_by_image
from trionet_bench.reporting.tables.label_free import searched_without_labels
from trionet_bench.reporting.tables.models import models_in_words
from trionet_bench.reporting.tables.placement import placement_by_stage
from trionet_bench.reporting.tables.published import published
from trionet_bench.reporting.tables.ranking_power import placement_worth, scores_beside_macs, supernets_paired
from trionet_bench.reporting.tables.references import beside_references
from trionet_bench.reporting.tables.results import coverage, main_results, seed_results
from trionet_bench.reporting.tables.table import TableKind

TABLES = [
    TableKind("datasets", "Data sets by models", "results", datasets_by_models),
    TableKind("models", "What the models are", "results", models_in_words),
    TableKind("main", "Main results", "results", main_results),
    TableKind("references", "Beside what was not trained", "results", beside_references),
    TableKind("published", "Published results and ours", "results", published),
    TableKind("hypervolume", "Area under the front", "results", covered_area),
    TableKind("comparisons", "Declared comparisons", "comparisons", declared_comparisons),
    TableKind("controls", "Does the search find what is known?", "placement", known_placements),
    TableKind("placement", "Operators by stage", "placement", placement_by_stage),
    TableKind("architectures", "Found networks", "placement", searched_architectures),
    TableKind("label_free", "Label-free against supervised search", "search", searched_without_labels),
    TableKind("ablation", "How children are drawn and weights shared", "search", supernet_ablation),
    TableKind("operators", "Subsets of the operators", "search", operator_ablation),
    TableKind("placement_worth", "What is placement worth here?", "search", placement_worth),
    TableKind("scores", "Does the supernet rank better than counting MACs?", "search", scores_beside_macs),
    TableKind("supernets", "Which supernet ranks better?", "search", supernets_paired),
    TableKind("ranking", "Does the supernet rank architectures as training does?", "search", spread_correlation),
    TableKind("correlation", "Does the supernet rank as training does?", "search", supernet_correlation),
    TableKind("images", "Declared comparisons image by image", "images", image_by_image),
    TableKind("cost", "Time, speed and memory", "cost", cost),
    TableKind("seeds", "Every cell", "coverage", seed_results),
    TableKind("coverage", "Failed and missing cells", "coverage", coverage),
]
