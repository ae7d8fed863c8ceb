"""Classifies images with the network of a cell."""

import json
from collections.abc import Sequence
from pathlib import Path

from trionet_bench.api.models import load
from trionet_bench.files import write_atomically
from trionet_bench.reporting.tables.table import csv_of
from trionet_bench.systems.trained import image_files
from trionet_bench.terminal import echo
from trionet_bench.training.device import resolve_device


def predict_images(
    cell: str, images: Sequence[Path], out: Path | None, most: int, device: str, results: Path, as_json: bool
) -> None:
    """Write or print the classes of all images.

    Args:
        cell: a folder, or its place in ``results``.
        images: files and folders.
        out: a CSV file; None prints it.
        most: how many classes of each image a JSON document names.
    """
    model = load(cell, resolve_device(device), results)
    files = [file for path in images for file in image_files(path)]
    if as_json:
        rows = [
            {"file": str(file), "classes": [guess._asdict() for guess in guesses]}
            for file, guesses in zip(files, model.classify(files, most), strict=True)
        ]
        echo(json.dumps({"schema": 1, "images": rows}))
        return
    text = csv_of(model.predict(files))
    if out is None:
        echo(text, nl=False)
        return
    write_atomically(out, text)
    echo(f"{out}: {len(files)} images")
