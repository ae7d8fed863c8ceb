"""``trionet-bench report``: tables, figures and a page from records."""

import json
from pathlib import Path

import click

from trionet_bench.cli._options import data_root_option, json_option, reports_option, results_option
from trionet_bench.terminal import echo

FORMATS = "html,md,csv,tex,svg,pdf,png"


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="SUITE|DIR...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to.  [default: that of the suite]")
@click.option("--formats", default=FORMATS, show_default=True, help="What to write, separated by commas.")
@click.option(
    "--style",
    type=click.Choice(["paper", "slide"]),
    default="paper",
    show_default=True,
    help="Of figures: paper is a column wide, slide is for projection.",
)
@results_option
@reports_option
@data_root_option
@click.option("--reference", type=click.Path(path_type=Path, exists=True), help="YAML file of published results.")
@click.option("--force", is_flag=True, help="Replace the report of another suite.")
@click.option("--into", type=click.Path(path_type=Path), help="Put its head into this Markdown file, too.")
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
    into: Path | None,
    as_json: bool,
) -> None:
    """Tables and figures from the records of a suite or of a results folder.

    Several are merged into one report, unless what they hold cannot be compared.
    """
    from trionet_bench.cli.actions.report import write  # pandas and matplotlib load here, not for --help

    wanted = [form.strip() for form in formats.split(",") if form.strip()]
    page = write(targets, out, wanted, style, results, reports, data_root, reference, force, into)
    echo(json.dumps({"schema": 1, "report": str(page)}) if as_json else str(page))
