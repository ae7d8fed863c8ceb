"""``trionet-bench predict``: images classified by the network of a cell."""

from pathlib import Path

import click

from trionet_bench.cli._options import json_option, results_option


@click.command(epilog="Example: trionet-bench predict quickstart:digits/trionet/3M-s0 photos/ --out predictions.csv")
@click.argument("cell")
@click.argument("images", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A CSV file.  [default: stdout]")
@click.option("--most", type=click.IntRange(min=1), default=5, show_default=True, help="Classes of an image, in JSON.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@results_option
@json_option
def predict(
    cell: str, images: tuple[Path, ...], out: Path | None, most: int, device: str, results: Path, as_json: bool
) -> None:
    """Classify image files, or all images in folders, with the network of a complete cell.

    CELL is the folder of a cell or of an exported network, or its place in the results folder:
    quickstart:digits/trionet/3M-s0. The CSV has a row for each image: file, class, probability.
    """
    from trionet_bench.cli.actions.predict import predict_images  # torch loads here, not for --help

    predict_images(cell, images, out, most, device, results, as_json)
