"""Reading and checking the plain JSON values of spaces and architectures."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from trionet_bench.errors import UsageError, nearest
from trionet_bench.jsontypes import JsonObject
from trionet_bench.limits import MOST_BLOCKS, MOST_CHANNELS, MOST_VALUES, shown


def read_mapping(value: object, place: str, allowed: list[str], required: Collection[str]) -> JsonObject:
    """A copy of a mapping.

    UsageError naming ``place`` where ``value`` is no mapping, has a key that is not allowed, or lacks a required one.
    """
    if not isinstance(value, Mapping):
        raise UsageError(f"{place} must be a mapping, not {shown(value)}.")
    for key in value:
        if key not in allowed:
            raise UsageError(f'{place} has an unknown key "{key}"; {nearest(str(key), allowed)}')
    for key in allowed:
        if key in required and key not in value:
            raise UsageError(f'{place} has no "{key}".')
    return dict(value)


def read_fields(kind: type, value: object, place: str) -> JsonObject:
    """The fields of a dataclass from a mapping; UsageError naming ``place`` for keys that are unknown or missing."""
    allowed = [field.name for field in fields(kind)]
    return read_mapping(value, place, allowed, [field.name for field in fields(kind) if field.default is MISSING])


def read_entries(value: Mapping[str, Any], key: str) -> list[Any]:
    """The list under ``key``; UsageError where it is no list."""
    if not isinstance(value[key], list | tuple):
        raise UsageError(f"{key} must be a list, not {shown(value[key])}.")
    if len(value[key]) > MOST_BLOCKS:
        raise UsageError(f"{key} has {len(value[key])} entries; the limit is {MOST_BLOCKS}.")
    return list(value[key])


def as_lists(value: object) -> object:
    """Tuples as lists, at any depth."""
    if isinstance(value, dict):
        return {key: as_lists(item) for key, item in value.items()}
    return [as_lists(item) for item in value] if isinstance(value, list | tuple) else value


def as_tuples(value: object) -> Any:
    """Lists as tuples, at any depth of lists."""
    return tuple(as_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def check_name(value: object) -> None:
    """UsageError unless ``value`` can name a space."""
    if not isinstance(value, str) or not 0 < len(value) <= 100:
        raise UsageError(f"the name of a space is a text of 1 to 100 characters, not {shown(value)}.")


def check_names(space: str, dimension: str, values: object, allowed: Sequence[str]) -> None:
    """UsageError unless ``values`` is a tuple of different names that are all allowed; it names the dimension."""
    if not isinstance(values, tuple) or not values or len({*map(str, values)}) < len(values):
        raise UsageError(
            f"space {space}: {dimension} must be a list of different names, not {_unquoted(values)}; "
            f"allowed are {', '.join(allowed)}."
        )
    for value in values:
        if value not in allowed:
            raise UsageError(f'space {space}: unknown {dimension} "{value}"; {nearest(str(value), list(allowed))}')


def check_numbers(
    space: str, dimension: str, values: object, kind: str = "whole numbers", most: int = MOST_CHANNELS
) -> None:
    """UsageError unless ``values`` is a tuple of increasing numbers above 0; it names the dimension.

    Args:
        kind: ``numbers``, ``whole numbers`` or ``odd numbers``.
        most: the largest number that is allowed, so that no file can ask for a network that fits into no memory.
    """

    def fits(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if kind != "numbers" else int | float):
            return False
        return value > 0 and (kind != "odd numbers" or value % 2 == 1)

    if not isinstance(values, tuple) or not values or not all(map(fits, values)) or sorted({*values}) != [*values]:
        raise UsageError(
            f"space {space}: {dimension} must be a list of {kind} above 0, from small to large, "
            f"not {shown(as_lists(values))}."
        )
    if len(values) > MOST_VALUES or values[-1] > most:
        raise UsageError(
            f"space {space}: {dimension} may have {MOST_VALUES} values, up to {most}, not {shown(as_lists(values))}."
        )


def check_number(space: str, dimension: str, value: object, most: int) -> None:
    """UsageError unless ``value`` is a whole number from 1 to ``most``; it names the dimension."""
    if type(value) is not int or not 0 < value <= most:
        raise UsageError(
            f"space {space}: {dimension} must be a whole number above 0 and up to {most}, not {shown(value)}."
        )


def check_blocks(space: str, depths: Iterable[int]) -> None:
    """UsageError where the deepest network of a space has too many blocks; ``depths`` are the largest of the stages."""
    total = sum(depths)
    if total > MOST_BLOCKS:
        raise UsageError(f"space {space}: its largest network has {total} blocks; the limit is {MOST_BLOCKS}.")


def _unquoted(value: object) -> str:
    return value[:100] if isinstance(value, str) else shown(as_lists(value))
