"""Writes the report of one or several results folders."""

from collections.abc import Sequence
from pathlib import Path

from trionet_bench.data.thumbnails import image_reader
from trionet_bench.reporting.page import find_results, write_report
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
) -> Path:
    """Write one report of all targets; returns its main file.

    Args:
        targets: suite files, names of suites, or folders of results.
        out: folder of the report; None: below ``reports``, named after the targets.
        formats, style, references, force: as in ``reporting.page.write_report``.
        results: folder in which names of suites are looked up.
        data_root: folder of the named data sets, for the images that the report shows.
    """
    folders = [find_results(_suite_name(target), results) for target in targets]
    out = out or reports / "+".join(folder.resolve().name for folder in folders)
    images = image_reader(data_root)
    return write_report(folders, out, formats, style, force=force, images=images, references=references)


def _suite_name(target: str) -> str:
    """The name in a suite file; any other target is returned as it is."""
    return load_suite(target).name if Path(target).is_file() else target
