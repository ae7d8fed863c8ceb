"""Files and values that are nearly right: valid ones with a few random changes, most of them of the kind that hurts."""

import copy
import json
import random
from collections.abc import Callable
from typing import TypeAlias

import yaml

Tree: TypeAlias = object  # of JSON or YAML

_VALUES: tuple[Tree, ...] = (
    None,
    True,
    "",
    " ",
    "\x1b[31m\x00",
    "x" * 5000,
    "../../etc/passwd",
    "/dev/zero",
    "=1+1",
    "\ud83d\ude00é",
    "nan",
    "1e999",
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**70),
    10**40,
    0.5,
    -0.0,
    1e300,
    float("inf"),
    float("nan"),
    [],
    {},
    [[]],
    {"": {}},
    [0] * 2000,
    {str(n): n for n in range(500)},
)
_BYTES = (
    b"",
    b"\0",
    b"\xff" * 8,
    b"\n",
    b'"',
    b"{",
    b"[" * 3000,
    b"- " * 500,
    b": ",
    b"NaN",
    b"1e999",
    b"../",
    b"\x1b[2J",
)


def changed_bytes(content: bytes, generator: random.Random) -> bytes:
    """One to six changes of single bytes, parts or ends."""
    data = bytearray(content)
    for _ in range(generator.randint(1, 6)):
        place = generator.randrange(len(data) + 1)
        end = min(len(data), place + generator.choice((1, 2, 8, 64, 1000)))
        what = generator.randrange(7)
        if what == 0:
            del data[place:]
        elif what == 1:
            del data[place:end]
        elif what == 2:
            data[place:place] = generator.choice(_BYTES)
        elif what == 3:
            data[place:place] = data[place:end]
        elif what == 4:
            data[place:end] = generator.randbytes(end - place)
        elif place < len(data):
            data[place] ^= 1 << generator.randrange(8)
    return bytes(data)


def changed_tree(value: Tree, generator: random.Random) -> Tree:
    """One to three values replaced, removed, doubled, moved or wrapped, or keys renamed."""
    value = copy.deepcopy(value)
    for _ in range(generator.randint(1, 3)):
        value = _changed_once(value, generator)
    return value


def _changed_once(value: Tree, generator: random.Random) -> Tree:
    places = list(_places(value))
    if not places:
        return generator.choice(_VALUES)
    holder, key = generator.choice(places)
    what = generator.randrange(6)
    if what == 0:
        del holder[key]  # type: ignore[attr-defined]
    elif what == 1 and isinstance(holder, dict):
        holder[generator.choice(("", "x" * 300, "sedes", f"{key}s", "__class__"))] = holder.pop(key)
    elif what == 2:
        other, name = generator.choice(places)
        holder[key] = copy.deepcopy(other[name])  # type: ignore[index]
    elif what == 3:
        holder[key] = generator.choice(([holder[key]], {"a": holder[key]}, str(holder[key])))  # type: ignore[index]
    elif what == 4 and isinstance(holder, list):
        holder.extend(copy.deepcopy(holder[:3]))
    else:
        holder[key] = copy.deepcopy(generator.choice(_VALUES))  # type: ignore[index]
    return value


def _places(value: Tree) -> "list[tuple[Tree, object]]":
    """Every holder and key below a value; few of a long list."""
    found: list[tuple[Tree, object]] = []
    keys = list(value) if isinstance(value, dict) else range(min(len(value), 6)) if isinstance(value, list) else ()
    for key in keys:
        found.append((value, key))
        found += _places(value[key])  # type: ignore[index]
    return found


def _of_tree(read: Callable[[bytes], Tree], write: Callable[[Tree], str]) -> Callable[[bytes, random.Random], bytes]:
    def changed(content: bytes, generator: random.Random) -> bytes:
        if generator.random() < 0.3:
            return changed_bytes(content, generator)
        return write(changed_tree(read(content), generator)).encode("utf-8", "replace")

    return changed


changed_json = _of_tree(json.loads, json.dumps)
changed_yaml = _of_tree(yaml.safe_load, lambda value: yaml.safe_dump(value, sort_keys=False, allow_unicode=True))


def changed_lines(content: bytes, generator: random.Random) -> bytes:
    """Bytes changed, or lines exchanged, doubled, emptied."""
    if generator.random() < 0.5:
        return changed_bytes(content, generator)
    lines = content.splitlines()
    for _ in range(generator.randint(1, 3)):
        one, other = generator.randrange(len(lines)), generator.randrange(len(lines))
        lines[one] = generator.choice(
            (lines[other], b"", lines[one] + lines[other], b",,,,", b'"', changed_bytes(lines[one], generator))
        )
    return b"\n".join(lines)
