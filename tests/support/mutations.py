"""Hypothesis strategies for files that went wrong: plain values with one changed, and damaged bytes."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Place = tuple[str | int, ...]

ODD = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        3,
        10**30,
        -0.5,
        1e308,
        float("inf"),
        float("nan"),
        "",
        "x",
        "\x00\x1b[31m",
        "../../etc/passwd",
        "=1+1",
        "\ud800",
        "a" * 300,
        [],
        [1],
        [[]],
        [None, "x"],
        {},
        {"a": 1},
    ]
)


def places(value: Any, here: Place = (), most: int = 4) -> Iterator[Place]:
    """Where something stands in a plain value, without the top; of a long list the first ``most`` items."""
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value[:most]) if isinstance(value, list) else ()
    )
    for key, item in items:
        yield (*here, key)
        yield from places(item, (*here, key), most)


def _changed(value: Any, place: Place, action: str, other: Any) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    if action == "remove":
        del inner[place[-1]]
    elif action == "add" and isinstance(inner, dict):
        inner["unknown"] = other
    else:
        inner[place[-1]] = other
    return changed


def changed(value: Any) -> st.SearchStrategy[Any]:
    """The value with something replaced, removed or added anywhere."""
    actions = st.sampled_from(["replace", "replace", "replace", "remove", "add"])
    return st.builds(_changed, st.just(value), st.sampled_from([*places(value)]), actions, ODD)


def _damage(content: bytes, at: float, action: str, other: bytes) -> bytes:
    place = int(at * len(content))
    if action == "cut":
        return content[:place]
    if action == "insert":
        return content[:place] + other + content[place:]
    return content[:place] + other + content[place + len(other) :]


def damaged(*contents: bytes) -> st.SearchStrategy[bytes]:
    """One of the contents cut off, with bytes inserted, or with some overwritten."""
    actions = st.sampled_from(["cut", "insert", "overwrite", "overwrite"])
    positions = st.floats(0, 1, exclude_max=True, allow_nan=False)
    return st.builds(_damage, st.sampled_from(contents), positions, actions, st.binary(min_size=1, max_size=9))
