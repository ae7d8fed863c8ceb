"""``csv:PATH``: a table with the columns path and label, and optionally split.

Paths are relative to the table's folder. ``split`` is train, val or test; without it a fifth of each class is held out
as test, the same images in every run.
"""

import csv
from pathlib import Path

from trionet_bench.data.holdout import hold_out_warning
from trionet_bench.data.index import Index
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.files import ImageFile, hold_out_files, index_of_files, listed_files
from trionet_bench.errors import DataError, nearest

PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a table; DataError with the line where a row is wrong."""
    path = places.resolve(uri.path)
    if not path.is_file():
        raise DataError(f"{uri.text}: {path} is not there. Expected is a table with the columns path,label[,split].")
    rows = _read_rows(uri, path)
    files = listed_files(uri, path.parent, ((row["path"], row["label"]) for row in rows))
    if "split" not in rows[0]:
        warning = hold_out_warning("no split column")
        return index_of_files(uri, path.parent, hold_out_files(files), path.stem, warnings=[warning])
    parts: dict[str, list[ImageFile]] = {}
    for file, row in zip(files, rows, strict=True):
        parts.setdefault(PARTS[row["split"].lower()], []).append(file)
    if "train" not in parts:
        raise DataError(f"{uri.text}: no row of {path} has the split train.")
    return index_of_files(uri, path.parent, parts, path.stem)


def _read_rows(uri: Uri, path: Path) -> list[dict[str, str]]:
    """The checked rows by column name in lower case."""
    with path.open(newline="", encoding="utf-8-sig") as table:
        reader = csv.DictReader(table)
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
        for column in ("path", "label"):
            if column not in reader.fieldnames:
                columns = ", ".join(reader.fieldnames)
                raise DataError(f"{uri.text}: line 1 of {path} has the columns {columns}; path and label are needed.")
        rows = []
        for row in reader:
            where = f"{uri.text}: line {reader.line_num} of {path}"
            if not row["path"] or not row["label"]:
                raise DataError(f"{where} has no path or no label.")
            if "split" in row and (row["split"] or "").lower() not in PARTS:
                raise DataError(f'{where} has the split "{row["split"]}"; {nearest(row["split"] or "", list(PARTS))}')
            rows.append(row)
    if not rows:
        raise DataError(f"{uri.text}: {path} lists no image.")
    return rows
