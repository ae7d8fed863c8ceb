"""What a person typed as a data source: a URI, or the path of a file or folder."""

import os
from pathlib import Path
from urllib.parse import parse_qsl

from trionet_bench.data.sources.base import Uri, escaped_path, unescaped_path
from trionet_bench.data.sources.names import is_text, printable
from trionet_bench.data.sources.registry import SOURCES
from trionet_bench.errors import UsageError, nearest


def parse_uri(text: str) -> Uri:
    """Split ``scheme:path?option=value``; UsageError where a part is missing or the scheme is not registered.

    A question mark in a path is written ``%3F``.
    """
    if not is_text(text):
        raise UsageError(f"{printable(text)}: the path is not UTF-8. Rename it, or name it through a symbolic link.")
    if "\0" in text:
        raise UsageError(f"{printable(text)}: a path cannot hold the control character \\x00.")
    scheme, colon, rest = text.partition(":")
    if not colon:
        raise UsageError(f'"{text}" is not a data source; write scheme:path, for example folder:{text}')
    if scheme not in SOURCES:
        raise UsageError(f'{text}: unknown kind of source "{scheme}"; {nearest(scheme, SOURCES.names())}')
    path, _, query = rest.partition("?")
    if not path:
        raise UsageError(f"{text}: the source needs a name or a path after {scheme}:")
    options: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key in options:
            raise UsageError(f'{text}: the option "{key}" is given twice')
        options[key] = value
    return Uri(text, scheme, unescaped_path(path), options)


def as_uri(text: str) -> str:
    """The URI of what was typed: a URI as it is, a file by its suffix, a folder by what lies in it.

    What exists is a path, whatever signs it holds.

    UsageError where it is neither a URI nor a path of such a file or folder.
    """
    scheme, colon, rest = text.partition(":")
    path = os.path.expanduser(text)
    if colon and scheme in SOURCES and not os.path.exists(path):
        return f"{scheme}:{escaped_path(rest)}" if os.path.exists(os.path.expanduser(rest)) else text
    for source in SOURCES:
        if os.path.isfile(path) and Path(path).suffix.lower() in source.suffixes:
            return f"{source.name}:{escaped_path(text)}"
        if os.path.isdir(path) and any(_holds(Path(path), marker) for marker in source.markers):
            return f"{source.name}:{escaped_path(text)}"
    if os.path.isdir(path):
        return f"folder:{escaped_path(text)}"
    suffixes = " or ".join(suffix for source in SOURCES for suffix in source.suffixes)
    raise UsageError(
        f"{text} is neither a folder, a {suffixes} file, nor a source such as sklearn:digits or torchvision:Flowers102."
    )


def _holds(folder: Path, marker: str) -> bool:
    """Whether a folder has a match of a pattern; False where it cannot be listed, which opening it will say."""
    try:
        return any(folder.glob(marker))
    except OSError:
        return False


def relative_uri(uri: str, folder: Path) -> str:
    """``uri`` with its path relative to ``folder`` where it names something that exists, else as it is.

    Paths of ``uri`` start from the working directory.
    """
    scheme, _, rest = uri.partition(":")
    path, question_mark, query = rest.partition("?")
    there = os.path.expanduser(unescaped_path(path))
    if not os.path.exists(there):
        return uri
    relative = os.path.relpath(Path(there).resolve(), folder.resolve())
    return f"{scheme}:{escaped_path(relative)}{question_mark}{query}"
