"""``trionet-bench report``: tables, figures and a page from records."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trionet_bench.cli._options import data_root_option, json_option, reports_option, results_option

if TYPE_CHECKING:
    import numpy as np

FORMATS = "html,md,csv,tex,svg,pdf,png"
THUMBNAIL = 96  # pixels, the longer side


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="SUITE|DIR...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to.  [default: that of the suite]")
@click.option("--formats", default=FORMATS, show_default=True, help="What to write, separated by commas.")
@click.option("--style", type=click.Choice(["paper", "slide"]), default="paper", show_default=True)
@results_option
@reports_option
@data_root_option
@click.option("--reference", type=click.Path(path_type=Path, exists=True), help="YAML file of published results.")
@click.option("--force", is_flag=True, help="Replace the report of another suite.")
@json_option
def report(
    targets: tuple[str, ...],
    out: Path | None,
    formats: str,
    style: str,
    results: Path,
    reports: Path,
    data_root: Path,
    reference: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Tables and figures from the records of a suite or of a results folder.

    Several are merged into one report, unless what they hold cannot be compared.
    """
    from trionet_bench.reporting.page import (
        find_results,
        write_report,
    )  # pandas and matplotlib load here, not for --help

    folders = [find_results(_suite_name(target), results) for target in targets]
    out = out or reports / "+".join(folder.resolve().name for folder in folders)
    wanted = [form.strip() for form in formats.split(",") if form.strip()]
    page = write_report(folders, out, wanted, style, force=force, images=image_reader(data_root), references=reference)
    click.echo(json.dumps({"schema": 1, "report": str(page)}) if as_json else str(page))


def _suite_name(target: str) -> str:
    """What a suite file calls itself; anything else as it is."""
    if not Path(target).is_file():
        return target
    from trionet_bench.suite.specification import load_suite

    return load_suite(target).name


def image_reader(
    data_root: Path | None = None, base: Path | None = None
) -> "Callable[[str, Sequence[int], Sequence[int]], list[np.ndarray] | None]":
    """Reads test images for a report, small; None instead of them where the data are not here or are not the same."""

    def read(source: str, positions: Sequence[int], labels: Sequence[int]) -> "list[np.ndarray] | None":
        import numpy as np

        from trionet_bench.data.sources.opening import open_source
        from trionet_bench.errors import BenchError

        try:
            index = open_source(source, data_root, base)
            part = "test" if "test" in index.labels else "val"
            known = index.labels[part]
            if any(p >= len(known) or known[p] != label for p, label in zip(positions, labels, strict=True)):
                return None
            pixels = []
            for position in positions:
                image = index.read(part, position).convert("RGB")
                image.thumbnail((THUMBNAIL, THUMBNAIL))
                pixels.append(np.asarray(image))
        except (BenchError, OSError):
            return None
        return pixels

    return read
