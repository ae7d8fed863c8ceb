"""Exports the network of a complete cell as a folder with a model card."""

import json
from pathlib import Path

from trionet_bench.api.model_card import export_folder, push
from trionet_bench.records.store import find_cell
from trionet_bench.terminal import echo


def export_to_folder(cell: str, out: Path | None, repository: str | None, results: Path, as_json: bool) -> None:
    """Write the folder, upload it where ``repository`` names one, and print where it is.

    Args:
        cell: the folder of a cell, or its place in ``results``.
        out: the folder; None: in the current one, named after the cell.
    """
    found = find_cell(cell, results)
    folder = export_folder(found, out or Path("-".join(found.resolve().parts[-3:])))
    address = push(folder, repository) if repository else None
    if as_json:
        echo(json.dumps({"schema": 1, "folder": str(folder), "format": "folder", "pushed_to": address}))
        return
    echo(f"{folder}: weights, architecture and model card; trionet_bench.load reads it")
    if address:
        echo(f"pushed to {address}")
