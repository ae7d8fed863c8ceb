"""Rows of data frames from records as they stream past. Columns are the fields of the record's models.

A field that a model of ``records.record`` gains is a column here without further words.
"""

import json
from collections.abc import Callable, Iterable
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args, get_origin

import pandas as pd
from pydantic import BaseModel

from trionet_bench.analysis.merging import CELL
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.record import (
    Code,
    Environment,
    Generation,
    OperatorPrior,
    Placement,
    Probe,
    Ranked,
    Record,
    Search,
)
from trionet_bench.records.values import Strict


def plain_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """Fields that hold one number or text, or None."""
    return tuple(name for name, field in model.model_fields.items() if _is_plain(field.annotation))


def _is_plain(annotation: Any) -> bool:
    if annotation in (str, int, float, bool, type(None)):
        return True
    parts = get_args(annotation)
    if get_origin(annotation) in (list, dict, tuple):
        return False
    return bool(parts) and all(isinstance(part, str) or _is_plain(part) for part in parts)


class _Part:
    """Rows of one kind of value, of which a record has a list: a column for each field but those left out."""

    def __init__(self, model: type[Strict], listed: Callable[[Record], Iterable[Strict]], leave_out: str = ""):
        self.fields = [name for name in model.model_fields if name != leave_out]
        self._values = attrgetter(*self.fields)
        self._listed = listed
        self._rows: list[tuple[Any, ...]] = []

    def add(self, cell: tuple[Any, ...], record: Record) -> None:
        self._rows += [(*cell, *self._values(value)) for value in self._listed(record)]

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self._rows, columns=["number", *CELL, *self.fields])


class Frames:
    """The frames of many records while these stream past: no more than one record is held."""

    def __init__(self) -> None:
        self._cells: list[JsonObject] = []
        self._parts = {
            "blocks": _Part(Placement, lambda record: record.placement, leave_out="options"),
            "priors": _Part(OperatorPrior, lambda record: record.search.operator_prior if record.search else ()),
            "generations": _Part(Generation, lambda record: record.search.best_by_generation if record.search else ()),
            "probes": _Part(Probe, lambda record: record.search.probes if record.search else ()),
            "ranked": _Part(Ranked, lambda record: record.ranked),
        }
        self._options: list[dict[str, float]] = []
        self._operator_macs: list[tuple[Any, ...]] = []

    def add(self, record: Record, folder: Path, doubtful: bool = False) -> None:
        """Take the rows of a record that lies in ``folder``; ``doubtful`` where it does not verify."""
        number = len(self._cells)
        cell = (number, record.dataset, record.budget, record.model, record.seed)
        self._cells.append({"number": number, **_cell_row(record, folder), "doubtful": doubtful})
        if record.status != "complete":
            return
        for part in self._parts.values():
            part.add(cell, record)
        self._options += [placement.options for placement in record.placement]
        self._operator_macs += [(*cell, operator, macs) for operator, macs in record.macs_by_operator.items()]

    def cells(self) -> pd.DataFrame:
        """One row a record; its column ``number`` counts them."""
        return pd.DataFrame(self._cells)

    def parts(self) -> dict[str, pd.DataFrame]:
        """The other frames by name, in long form; ``number`` says which record a row is from."""
        frames = {name: part.frame() for name, part in self._parts.items()}
        # A column for each further option of an operator.
        frames["blocks"] = frames["blocks"].join(pd.DataFrame(self._options))
        frames["ranked"]["architecture"] = frames["ranked"].architecture.map(_as_text)
        frames["operator_macs"] = pd.DataFrame(self._operator_macs, columns=["number", *CELL, "operator", "macs"])
        return frames


def _plain_values(model: type[BaseModel]) -> Callable[[BaseModel], JsonObject]:
    """A function from a value of this model to its plain fields."""
    names = plain_fields(model)
    values = attrgetter(*names)
    return lambda value: dict(zip(names, values(value), strict=True))


_OF_RECORD = _plain_values(Record)
_OF_SEARCH = _plain_values(Search)
_NO_SEARCH = dict.fromkeys(plain_fields(Search))
_OF_ENVIRONMENT = _plain_values(Environment)
_OF_CODE = _plain_values(Code)


def _cell_row(record: Record, folder: Path) -> JsonObject:
    """What the record says in single values, and what is derived from the rest; metrics and timings by their names."""
    search, counts, environment = record.search, record.counts, record.environment
    classes = record.data.get("classes")
    standalone = record.options.get("operator") if search is None else None
    operators = record.space.get("operators")
    row = {
        **_OF_RECORD(record),
        **(_OF_SEARCH(search) if search else _NO_SEARCH),
        **_OF_ENVIRONMENT(environment),
        **_OF_CODE(record.code),
        "error": f"{record.error.type}: {record.error.message}" if record.error else "",
        "folder": folder,
        "task": record.task,
        "division": record.start.division if record.start else "",
        "operator": standalone if isinstance(standalone, str) else None,
        "operators": "+".join(map(str, operators)) if isinstance(operators, list | tuple) else "",
        "space": str(record.space.get("name", "")),
        "source": str(record.data.get("source", record.dataset)),
        "fingerprint": str(record.data.get("fingerprint", "")),
        "classes": len(classes) if isinstance(classes, list) else classes,
        "class_names": tuple(classes) if isinstance(classes, list) else None,
        "recipe": record.recipe,
        "options": record.options,
        "architecture": _as_text(record.architecture) if record.architecture else None,
        "train_images": counts.train + counts.search_val if counts else None,  # final networks train on both
        "evaluated": counts.evaluated if counts else None,
        "device": environment.device_name or environment.device,
        "warnings": record.warnings,
    }
    return row | {name: value for name, value in (record.metrics | record.timings).items() if name not in row}


def _as_text(architecture: JsonObject) -> str:
    """Equal for equal architectures."""
    return json.dumps(architecture, sort_keys=True)
