"""Records of schema 1, which knew classification alone, as what they mean in schema 2.

Schema 2 says of which task a record is, and calls quantities of a search by what they are instead of by one task's
metric.
"""

from typing import Any

from trionet_bench.jsontypes import JsonObject

_CLASSIFICATION = {
    "name": "classification",
    "options": {},
    "metrics": [
        {"name": "top1", "label": "top-1", "unit": "fraction", "higher_is_better": True},
        {"name": "top5", "label": "top-5", "unit": "fraction", "higher_is_better": True},
    ],
}
_SEARCH = {"probes": {"top1": "fitness"}, "retrained": {"search_val_top1": "fitness_alone"}}
_RANKED = {
    "val_top1": "val",
    "inherited_val_top1": "inherited_val",
    "inherited_val_top1_not_recalibrated": "inherited_val_not_recalibrated",
}


def upgraded(record: JsonObject) -> JsonObject:
    """A record of any schema in the present one; what is not of schema 1 is given back as it is."""
    if record.get("schema") != 1:
        return record
    upgrade = {**record, "schema": 2, "task": _CLASSIFICATION}
    if isinstance(search := record.get("search"), dict):
        parts = {part: _renamed(search[part], names) for part, names in _SEARCH.items() if part in search}
        upgrade["search"] = {**search, **parts}
    if "ranked" in record:
        upgrade["ranked"] = _renamed(record["ranked"], _RANKED)
    return upgrade


def _renamed(rows: Any, names: dict[str, str]) -> Any:
    """``rows`` with other keys; anything but mappings is left for validation to refuse."""
    if not isinstance(rows, list):
        return rows
    return [
        {names.get(key, key): value for key, value in row.items()} if isinstance(row, dict) else row for row in rows
    ]
