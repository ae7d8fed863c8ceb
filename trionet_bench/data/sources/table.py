"""``csv:PATH``: a table with the columns path and label, and optionally split.

Paths are relative to the table's folder. ``split`` is train, val or test; without it a fifth of each class is held out
as test, the same images in every run.
"""

import csv
from pathlib import Path

from trionet_bench.data.sources.base import Index, Places, Uri
from trionet_bench.data.sources.files import File, hold_out, index_of_files, listed_files
from trionet_bench.errors import DataError, nearest

PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
TEST_SHARE = 0.2


def open_index(uri: Uri, places: Places) -> Index:
    uri.check_options()
    path = places.resolve(uri.path)
    if not path.is_file():
        raise DataError(f"{uri.text}: {path} is not there. Expected is a table with the columns path,label[,split].")
    rows = _rows(uri, path)
    files = listed_files(uri, path.parent, ((row["path"], row["label"]) for row in rows))
    if "split" not in rows[0]:
        warning = f"no split column: {TEST_SHARE:.0%} of each class are held out as test, the same in every run"
        held_out = hold_out(files, round(TEST_SHARE * len(files)))
        return index_of_files(uri, path.parent, held_out, path.stem, warnings=[warning])
    parts: dict[str, list[File]] = {}
    for file, row in zip(files, rows, strict=True):
        parts.setdefault(PARTS[row["split"].lower()], []).append(file)
    if "train" not in parts:
        raise DataError(f"{uri.text}: no row of {path} has the split train.")
    return index_of_files(uri, path.parent, parts, path.stem)


def _rows(uri: Uri, path: Path) -> list[dict[str, str]]:
    """The rows of the table, checked; column names in small letters."""
    with path.open(newline="", encoding="utf-8-sig") as table:
        reader = csv.DictReader(table)
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
        for wanted in ("path", "label"):
            if wanted not in reader.fieldnames:
                found = ", ".join(reader.fieldnames)
                raise DataError(f"{uri.text}: line 1 of {path} has the columns {found}; path and label are needed.")
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
