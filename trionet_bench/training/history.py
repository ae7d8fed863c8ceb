"""The history file: one JSON object a line, one line an epoch, all phases of a cell in one file."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from trionet_bench.errors import StoreError
from trionet_bench.files import write_atomically
from trionet_bench.jsontypes import JsonObject

_log = logging.getLogger(__name__)

HistoryRow: TypeAlias = JsonObject  # a JSON object: phase, epoch, step, lr, train_..., seconds, images_per_s


def append_row(path: Path, row: HistoryRow) -> None:
    """Adds one line."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(_line(row))
    except OSError as error:
        raise StoreError(f"{path} could not be written: {error.strerror or error}.") from error


def restart_phase(path: Path, phase: str, rows: Sequence[HistoryRow]) -> None:
    """Makes ``rows`` the only lines of ``phase``, as if nothing had been written after them; other phases stay."""
    if not path.exists() and not rows:
        return
    kept = [row for row in read_history(path) if row.get("phase") != phase]
    write_atomically(path, "".join(map(_line, [*kept, *rows])))


def read_history(path: Path) -> list[HistoryRow]:
    """All complete lines; a last line that a crash cut off is left out, and so are damaged ones, with a warning."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            row = json.loads(line) if line else None
        except (ValueError, RecursionError):
            row = ()
        if isinstance(row, dict):
            rows.append(row)
        elif line:
            _log.warning("%s has a damaged line, which is left out", path)
    return rows


def _line(row: HistoryRow) -> str:
    return json.dumps(row) + "\n"
