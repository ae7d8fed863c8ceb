"""Writes the report of one or several results folders."""

from collections.abc import Sequence
from pathlib import Path

from trionet_bench.api.results import report_of
from trionet_bench.reporting.page import find_results
from trionet_bench.suite.specification import load_suite


def write(
    targets: Sequence[str],
    out: Path | None,
    formats: Sequence[str],
    style: str,
    results: Path,
    reports: Path,
    data_root: Path,
    references: Path | None,
    force: bool,
    into: Path | None = None,
) -> Path:
    """Write one report of all targets; returns its main file.

    Args:
        targets: suite files, names of suites, or folders of results.
        out: folder of the report; None: below ``reports``, named after the targets.
        formats, style, data_root, references, force, into: as of ``api.results.report_of``.
        results: folder in which names of suites are looked up.
    """
    folders = [find_results(_suite_name(target), results) for target in targets]
    return report_of(folders, out, formats, style, force, data_root, references, reports, into)


def _suite_name(target: str) -> str:
    """The name in a suite file; any other target is returned as it is."""
    return load_suite(target).name if Path(target).is_file() else target
