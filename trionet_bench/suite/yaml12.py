"""YAML files under the rules of YAML 1.2, as plain values with the line of each.

PyYAML alone reads ``1e-3`` as text, ``no`` as False, ``010`` as eight and ``1:30`` as ninety, and keeps the last of two
equal keys without a word.
"""

import re
import reprlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Self

import yaml

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # a PyYAML without libyaml, ten times as slow
    from yaml import SafeLoader  # type: ignore[assignment]

from trionet_bench.errors import UsageError
from trionet_bench.jsontypes import JsonObject

Place = tuple[str | int, ...]

_LONGEST = 2**20  # characters of a file
_MOST_VALUES = 100_000
_DEEPEST = 32


class _Loader(SafeLoader):
    """The core types of YAML 1.2: null, booleans, numbers, text."""


_Loader.yaml_implicit_resolvers = {}

for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?[0-9]+", [*"-+0123456789"]),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)

_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:str": str,
}


@dataclass(frozen=True)
class Origin:
    """Where a value was written.

    Args:
        text: file and line, or the option of the command line.
        folder: from which a relative path in the value starts.
    """

    text: str
    folder: Path

    @classmethod
    def line(cls, path: Path, number: int) -> Self:
        """A line of a file."""
        return cls(f"{path}:{number}", path.parent)


@dataclass(frozen=True)
class Document:
    """A YAML file, or one joined with a file that it extends or with options of the command line.

    Args:
        value: mapping of plain values.
        text: content of the file at ``path``.
        origins: where each key and list item was written, by its path from the top.
    """

    value: JsonObject
    path: Path
    text: str
    origins: Mapping[Place, Origin] = field(repr=False)

    def error(self, place: Place, message: str) -> UsageError:
        """An error whose message starts with where ``place`` was written."""
        return UsageError(f"{self.where(place).text}: {message}")

    def where(self, place: Place) -> Origin:
        """Where ``place`` was written, or the innermost part around it of which that is known."""
        known: Place = ()
        for part in place:
            if (*known, part) in self.origins:
                known = (*known, part)
        return self.origins.get(known, Origin.line(self.path, 1))

    def over(self, base: "Document", merged: tuple[str, ...]) -> "Document":
        """``base`` with the values of this document in place of its own.

        The mappings named ``merged`` are joined entry by entry, where null removes an entry of ``base``.
        """
        value, origins = dict(base.value), dict(base.origins)
        for key, item in self.value.items():
            if key in merged and isinstance(item, dict) and isinstance(value.get(key), dict):
                removed = {name for name, entry in item.items() if entry is None and name in value[key]}
                value[key] = {name: entry for name, entry in (value[key] | item).items() if name not in removed}
                replaced: tuple[Place, ...] = tuple((key, name) for name in item)
            else:
                value[key] = item
                replaced = ((key,),)
            length, gone = len(replaced[0]) if replaced else 1, set(replaced)
            origins = {place: at for place, at in origins.items() if place[:length] not in gone}
        return replace(self, value=value, origins=origins | dict(self.origins))


def read_yaml(path: Path, text: str | None = None) -> Document:
    """The mapping in a YAML file, or in ``text`` as the content of ``path``.

    UsageError with file and line where it cannot be read, is not valid YAML or no mapping.
    """
    if text is None:
        try:
            with path.open(encoding="utf-8") as file:
                text = file.read(_LONGEST + 1)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(f"{path} cannot be read: {reason}.") from error
    if len(text) > _LONGEST:
        raise UsageError(f"{path} has {len(text):,} characters; a suite has at most {_LONGEST:,}.")
    origins: dict[Place, Origin] = {}
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise UsageError(f"{path}:1: a suite is a mapping of keys to values; start with `schema: 1`.")
        value = _Walk(path, origins).plain(node, ())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}:{line}: not valid YAML: {error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not valid YAML: {' '.join(str(error).split())}.") from error
    except RecursionError as error:
        raise UsageError(f"{path}: values are nested more than {_DEEPEST} deep.") from error
    finally:
        loader.dispose()
    return Document(value, path, text, origins)


def read_value(text: str) -> Any:
    """The plain value that ``text`` is in a YAML file, such as ``1e-3`` or ``[3, 5]``; UsageError where it is none."""
    return read_yaml(Path("value"), f"value: {text}").value["value"]


@dataclass(frozen=True)
class _Walk:
    """Conversion of the nodes of a document; ``within`` has the identities of the nodes around the current one."""

    path: Path
    origins: dict[Place, Origin]
    within: tuple[int, ...] = ()
    values: Iterator[int] = field(default_factory=count)

    def plain(self, node: yaml.Node, place: Place) -> Any:
        if id(node) in self.within:
            raise self._error(node, "an alias contains itself")
        if len(self.within) == _DEEPEST:
            raise self._error(node, f"values are nested more than {_DEEPEST} deep")
        if next(self.values) == _MOST_VALUES:
            raise self._error(node, f"with all aliases written out there are more than {_MOST_VALUES:,} values")
        inner = replace(self, within=(*self.within, id(node)))
        if isinstance(node, yaml.MappingNode):
            return inner._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [inner._item(item, (*place, i)) for i, item in enumerate(node.value)]
        if node.tag not in _SCALARS:
            raise self._error(node, f"the tag {node.tag} is not supported")
        try:
            return _SCALARS[node.tag](node.value)
        except ValueError as error:
            raise self._error(node, f"{node.value[:40]} cannot be read as a number") from error

    def _mapping(self, node: yaml.MappingNode, place: Place) -> JsonObject:
        value: JsonObject = {}
        lines: dict[str, int] = {}
        for key_node, item in node.value:
            key = self.plain(key_node, place)
            if not isinstance(key, str):
                raise self._error(key_node, f"the key {reprlib.repr(key)} is not text; put it in quotes")
            if key == "<<":
                raise self._error(key_node, "merge keys (<<) are not part of YAML 1.2; write the values out")
            if key in value:
                raise self._error(key_node, f'the key "{key}" is already on line {lines[key]}; remove one of the two')
            lines[key] = key_node.start_mark.line + 1
            self.origins[(*place, key)] = Origin.line(self.path, lines[key])
            value[key] = self.plain(item, (*place, key))
        return value

    def _item(self, node: yaml.Node, place: Place) -> Any:
        self.origins[place] = Origin.line(self.path, node.start_mark.line + 1)
        return self.plain(node, place)

    def _error(self, node: yaml.Node, message: str) -> UsageError:
        return UsageError(f"{self.path}:{node.start_mark.line + 1}: {message}.")
