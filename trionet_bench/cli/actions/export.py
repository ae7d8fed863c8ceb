"""Exports the network of a complete cell."""

from collections.abc import Sequence
from pathlib import Path

from trionet_bench.records.store import find_cell
from trionet_bench.systems.exporting import SUFFIXES, Exported, Format, export, sample
from trionet_bench.systems.trained import load_network


def export_cell(
    cell: str, form: Format, out: Path | None, images: Sequence[Path], results: Path, data_root: Path
) -> Exported:
    """Write the network of a cell to a file and check the file.

    Args:
        cell: the folder of a cell, or its place in ``results``.
        form: format of the file.
        out: the file; None: in the current folder, named after the cell.
        images: to check the file with; test images of the cell's data set if empty.
        data_root: folder of the named data sets.
    """
    folder = find_cell(cell, results)
    trained = load_network(folder)
    path = out or Path("-".join(folder.resolve().parts[-3:]) + SUFFIXES[form])
    return export(trained, form, path, sample(trained, folder, images, data_root))
