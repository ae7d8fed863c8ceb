"""Spaces and architectures from and to plain JSON values."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from trionet_bench.errors import UsageError, nearest


def read_fields(kind: Any, value: Any, place: str) -> dict[str, Any]:
    """The fields of a dataclass from a mapping; UsageError naming ``place`` for keys that are unknown or missing."""
    if not isinstance(value, Mapping):
        raise UsageError(f"{place} must be a mapping, not {value!r}.")
    allowed = [field.name for field in fields(kind)]
    for key in value:
        if key not in allowed:
            raise UsageError(f'{place} has an unknown key "{key}"; {nearest(str(key), allowed)}')
    for field in fields(kind):
        if field.default is MISSING and field.name not in value:
            raise UsageError(f'{place} has no "{field.name}".')
    return dict(value)


def read_entries(value: Mapping[str, Any], key: str) -> list[Any]:
    """The list under ``key``; UsageError where it is none."""
    if not isinstance(value[key], list | tuple):
        raise UsageError(f"{key} must be a list, not {value[key]!r}.")
    return list(value[key])


def as_lists(value: Any) -> Any:
    """Tuples as lists, at any depth."""
    if isinstance(value, dict):
        return {key: as_lists(item) for key, item in value.items()}
    return [as_lists(item) for item in value] if isinstance(value, list | tuple) else value


def as_tuples(value: Any) -> Any:
    """Lists as tuples, at any depth of lists."""
    return tuple(as_tuples(item) for item in value) if isinstance(value, list | tuple) else value
