"""Training histories that lie beside records, one JSON object a line."""

from pathlib import Path

import pandas as pd
from pydantic_core import from_json

from trionet_bench.analysis.merging import CELL
from trionet_bench.errors import StoreError
from trionet_bench.records.layout import HISTORY


def histories(cells: pd.DataFrame) -> pd.DataFrame:
    """The last line of every epoch of these cells; empty when none has a history."""
    parts = [_read(cell.folder / HISTORY, [getattr(cell, name) for name in CELL]) for cell in cells.itertuples()]
    rows = [row for part in parts for row in part]
    frame = pd.DataFrame(rows)
    if frame.empty:
        return pd.DataFrame(columns=[*CELL, "phase", "epoch"])
    return frame.drop_duplicates([*CELL, "phase", "epoch"], keep="last", ignore_index=True)


def _read(path: Path, cell: list[object]) -> list[dict[str, object]]:
    if not path.is_file():
        return []
    lines = path.read_bytes().splitlines()
    try:
        rows = from_json(b"[" + b",".join(line for line in lines if line) + b"]")
    except ValueError as error:
        raise StoreError(
            f"{path} is not a training history: {error}. Delete it, or run its cell again with --force."
        ) from error
    named = dict(zip(CELL, cell, strict=True))
    return [{**named, **row} for row in rows]
