"""``csv:PATH``: a table with the columns path and label, and optionally split.

Paths are relative to the table's folder, with slashes or backslashes, and lead to files below it, as do links; another
folder is named by ``?root=``, itself relative to the table's. ``split`` is train, val or test in any common
spelling; without it a fifth of each class is held out as test, the same images in every run. Columns are separated by
commas, semicolons, tabs or bars; the text is UTF-8, or UTF-16 with a byte order mark. Blanks around values are ignored.
"""

import csv
import io
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trionet_bench.data.holdout import hold_out_warning
from trionet_bench.data.index import Index
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.files import ImageFile, hold_out_files, index_of_files, listed_files
from trionet_bench.data.sources.names import PARTS, Part, class_name, part_names, printable
from trionet_bench.data.sources.text import read_text
from trionet_bench.errors import DataError, nearest

SEPARATORS = ",;\t|"
NEEDED = ("path", "label")


class Row(NamedTuple):
    """One image: line of the table, path below its folder, class, and part where there is a column for it."""

    line: int
    path: str
    label: str
    part: Part | None


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a table; DataError with the line where a row is wrong."""
    path = places.resolve(uri.path)
    if not path.is_file():
        looked = places.looked_in(uri.path)
        raise DataError(f"{uri.text}: {looked} is no file. Expected is a table with the columns path,label[,split].")
    root = path.parent / os.path.expanduser(uri.options.get("root", "."))
    rows, repeated = _distinct(uri, path, list(_read_rows(uri, path, root)))
    _check_inside(uri, path, root, rows)
    files = listed_files(uri, root, ((row.path, row.label) for row in rows))
    warnings = [f"{repeated} rows are repeated, and each image is used once"] if repeated else []
    if rows[0].part is None:
        warnings.insert(0, hold_out_warning("no split column"))
        return index_of_files(uri, root, hold_out_files(files), path.stem, warnings=warnings)
    by_part: dict[str, list[ImageFile]] = {part: [] for part in PARTS}
    for file, row in zip(files, rows, strict=True):
        by_part[row.part or "train"].append(file)
    parts = {part: of_part for part, of_part in by_part.items() if of_part}
    if set(parts) <= {"train"} or "train" not in parts:
        raise DataError(
            f"{uri.text}: all rows of {path} have the split {' or '.join(parts)}; needed are train, and test or val. "
            "Remove the column to hold out a fifth of each class as test."
        )
    return index_of_files(uri, root, parts, path.stem, warnings=warnings)


def _read_rows(uri: Uri, path: Path, root: Path) -> Iterator[Row]:
    """The checked rows; empty ones are skipped."""
    text = read_text(path)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True, skipinitialspace=True)
    where = f"{uri.text}: line {{}} of {path}"
    try:
        columns = [name.strip().lower() for name in next(table, [])]
        for column in NEEDED:
            if columns.count(column) != 1:
                names = ", ".join(columns)
                raise DataError(f"{where.format(1)} has the columns {names}; path and label are needed, once each.")
        empty = True
        for values in table:
            if not any(value.strip() for value in values):
                continue
            empty = False
            yield _checked(where.format(table.line_num), root, columns, values, table.line_num)
    except csv.Error as error:
        raise DataError(f"{where.format(table.line_num)} cannot be read: {error}. Correct its quotes.") from error
    if empty:
        raise DataError(f"{uri.text}: {path} lists no image.")


def _separator(text: str) -> str:
    """The sign between the names of the columns in the first line."""
    header = text.lstrip().split("\n", 1)[0]
    return max(SEPARATORS, key=header.count)


def _checked(where: str, folder: Path, columns: list[str], values: list[str], line: int) -> Row:
    if len(values) != len(columns):
        raise DataError(
            f"{where} has {len(values)} values where the first line has {len(columns)}; put a value that holds the "
            "separator in double quotes."
        )
    cells = {column: value.strip() for column, value in zip(columns, values, strict=True)}
    if not cells["path"] or not cells["label"]:
        raise DataError(f"{where} has no {'label' if cells['path'] else 'path'}.")
    if "\0" in cells["path"]:
        raise DataError(f"{where} has a null character in its path; is it a text file?")
    part: Part | None = None
    if "split" in cells:
        parts = part_names(cells["split"])
        if not parts:
            raise DataError(f'{where} has the split "{cells["split"]}"; {nearest(cells["split"], PARTS)}')
        part = parts[0]
    return Row(line, _with_slashes(folder, cells["path"]), class_name(cells["label"], where), part)


def _with_slashes(folder: Path, path: str) -> str:
    """A path as this system writes it: one with backslashes is of Windows, unless there is a file of that name."""
    if "\\" in path and not os.path.exists(folder / path):
        path = path.replace("\\", "/")
    return posixpath.normpath(path)


def _check_inside(uri: Uri, table: Path, root: Path, rows: list[Row]) -> None:
    """DataError where a path, or a link that it leads through, ends outside of ``root``."""
    inside = root.resolve()
    folders: dict[str, bool] = {}
    for row in rows:
        folder = os.path.dirname(row.path)
        if folder not in folders:
            folders[folder] = (inside / folder).resolve().is_relative_to(inside)
        link = folders[folder] and os.path.islink(inside / row.path)
        if not folders[folder] or (link and not (inside / row.path).resolve().is_relative_to(inside)):
            raise DataError(
                f"{uri.text}: line {row.line} of {table} leads outside of {root}, to "
                f"{printable(str((inside / row.path).resolve()))}. Name the folder that holds all images by ?root=."
            )


def _distinct(uri: Uri, table: Path, rows: list[Row]) -> tuple[list[Row], int]:
    """One row for each path, and how many were the same again; DataError where they differ in label or part."""
    first: dict[str, Row] = {}
    for row in rows:
        known = first.setdefault(row.path, row)
        if (known.label, known.part) != (row.label, row.part):
            what = "labels" if known.label != row.label else "splits"
            raise DataError(
                f"{uri.text}: {row.path} stands in lines {known.line} and {row.line} of {table} with different {what}. "
                "Remove one of the two."
            )
    return list(first.values()), len(rows) - len(first)
