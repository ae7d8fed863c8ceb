"""``trionet-bench export``: the network of a cell as a file for other programs."""

import json
from pathlib import Path
from typing import Literal

import click

from trionet_bench.cli._options import data_root_option, json_option, results_option
from trionet_bench.terminal import echo


@click.command()
@click.argument("cell")
@click.option(
    "--format",
    "form",
    type=click.Choice(["onnx", "torch", "folder"]),
    default="onnx",
    show_default=True,
    help="Kind of file, or a folder with weights and a model card.",
)
@click.option("--out", type=click.Path(path_type=Path), help="File or folder.  [default: named after the cell]")
@click.option("--push", metavar="USER/NAME", help="Upload the folder to the Hugging Face hub.")
@click.option(
    "--check",
    "images",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An image to check the file with; may be given several times.  [default: test images]",
)
@results_option
@data_root_option
@json_option
def export(
    cell: str,
    form: Literal["onnx", "torch", "folder"],
    out: Path | None,
    push: str | None,
    images: tuple[Path, ...],
    results: Path,
    data_root: Path,
    as_json: bool,
) -> None:
    """Write the network of a complete cell as ONNX, or for torch.export.load, and check it against the original.

    CELL is the folder of a cell, or its place in the results folder: quickstart/digits/trionet/3M-s0, also written
    quickstart:digits/trionet/3M-s0. The file takes normalised images, any number at once, and carries
    architecture.json, which holds their size, mean and deviation and the names of the classes.

    A folder has the weights, architecture.json and a model card; trionet_bench.load reads it, and the hub takes it.
    """
    if push and form != "folder":
        raise click.UsageError("--push needs --format folder.")
    if form == "folder":
        from trionet_bench.cli.actions.export_folder import export_to_folder  # analysis loads here, not for --help

        export_to_folder(cell, out, push, results, as_json)
        return
    from trionet_bench.cli.actions.export import export_cell  # torch loads here, not for --help

    done = export_cell(cell, form, out, images, results, data_root)
    if as_json:
        facts = {"file": str(done.path), "format": form, "checked_on": done.checked_on}
        echo(json.dumps({"schema": 1, **facts, "largest_difference": done.largest_difference}))
        return
    echo(f"{done.path}: logits within {done.largest_difference:.2g} of the network's on {done.checked_on}")
