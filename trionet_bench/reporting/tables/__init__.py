"""The kinds of tables, in the order of the report."""

from trionet_bench.reporting.tables.architectures import found_architectures
from trionet_bench.reporting.tables.comparisons import declared_comparisons
from trionet_bench.reporting.tables.results import coverage, main_results, seed_results
from trionet_bench.reporting.tables.table import TableKind

TABLES = [
    TableKind("main", "Main results", "results", main_results),
    TableKind("comparisons", "Declared comparisons", "comparisons", declared_comparisons),
    TableKind("architectures", "Found networks", "placement", found_architectures),
    TableKind("seeds", "Every cell", "coverage", seed_results),
    TableKind("coverage", "Failed and missing cells", "coverage", coverage),
]
