"""``trionet-bench report``: tables, figures and a page from records."""

import json
from pathlib import Path

import click

FORMATS = "html,md,csv,tex,svg,pdf,png"


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="SUITE|DIR...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to.  [default: reports/SUITE]")
@click.option("--formats", default=FORMATS, show_default=True, help="What to write, separated by commas.")
@click.option("--style", type=click.Choice(["paper", "slide"]), default="paper", show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True)
@click.option("--force", is_flag=True, help="Replace the report of another suite.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def report(
    targets: tuple[str, ...], out: Path | None, formats: str, style: str, results: Path, force: bool, as_json: bool
) -> None:
    """Tables and figures from the records of a suite or of a results folder.

    Several are merged into one report, unless what they hold cannot be compared.
    """
    from trionet_bench.reporting.page import (
        find_results,
        write_report,
    )  # pandas and matplotlib load here, not for --help

    folders = [find_results(target, results) for target in targets]
    out = out or Path("reports") / "+".join(folder.resolve().name for folder in folders)
    wanted = [form.strip() for form in formats.split(",") if form.strip()]
    page = write_report(folders, out, wanted, style, force=force)
    click.echo(json.dumps({"schema": 1, "report": str(page)}) if as_json else str(page))
