"""Which folder or split is which part, by its name or by the options ``train``, ``val`` and ``test`` of a URI."""

from collections.abc import Sequence
from urllib.parse import quote

from trionet_bench.data.sources.base import Uri
from trionet_bench.data.sources.names import PARTS, Part, part_names
from trionet_bench.errors import DataError

NONE = "none"  # value of ?val= and ?test=: there is no such part


def parts_of_names(uri: Uri, names: Sequence[str], what: str) -> dict[Part, str]:
    """The name of each part among ``names``, in the order train, val, test; train may be missing.

    Args:
        what: what the names are of, for messages: "folder" or "split".

    Raises:
        DataError: where an option names none of them, or two are called like one part.
    """
    asked = {part: uri.options[part] for part in PARTS if part in uri.options}
    chosen: dict[Part, str] = {}
    for part, name in asked.items():
        if name == NONE and part != "train":
            continue
        if name not in names:
            raise DataError(f"{uri.text}: {part}={name} names no {what} of it; there are {', '.join(names)}.")
        chosen[part] = name
    for part in PARTS:
        if part in asked:
            continue
        free = [name for name in names if name not in chosen.values()]
        sure = [name for name in free if part_names(name) == (part,)]
        candidates = sure or [name for name in free if part in part_names(name)]
        if len(candidates) > 1:
            ways = " or ".join(with_option(uri, part, name) for name in candidates)
            raise DataError(
                f"{uri.text}: {' and '.join(candidates)} are both called like the {part} part; write {ways}."
            )
        if candidates:
            chosen[part] = candidates[0]
    return {part: chosen[part] for part in PARTS if part in chosen}


def unused_warning(uri: Uri, what: str, name: str) -> str:
    """The warning of a folder or split that is no part."""
    return f"the {what} {name} is not used; {with_option(uri, 'test', name)} tests on it"


def with_option(uri: Uri, option: str, value: str) -> str:
    """The text of the URI with a further option, or with another value of it."""
    options = {**uri.options, option: value}
    path = uri.text.partition("?")[0]
    return path + "?" + "&".join(f"{name}={quote(of, safe='/,')}" for name, of in options.items())
