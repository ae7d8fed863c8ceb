"""What a person typed as a data source: a URI, or the path of a file or folder."""

import os
from pathlib import Path
from urllib.parse import parse_qsl

from trionet_bench.data.sources.base import Uri
from trionet_bench.data.sources.registry import SOURCES
from trionet_bench.errors import UsageError, nearest


def parse_uri(text: str) -> Uri:
    """Split ``scheme:path?option=value``; UsageError where a part is missing or the scheme is not registered."""
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
    return Uri(text, scheme, path, options)


def as_uri(text: str) -> str:
    """The URI of what was typed: a URI as it is, a file by its suffix, a folder by what lies in it.

    UsageError where it is neither a URI nor a path of such a file or folder.
    """
    scheme, colon, _ = text.partition(":")
    if colon and scheme in SOURCES:
        return text
    path = Path(os.path.expanduser(text))
    for source in SOURCES:
        if path.is_file() and path.suffix in source.suffixes:
            return f"{source.name}:{text}"
        if path.is_dir() and any(any(path.glob(marker)) for marker in source.markers):
            return f"{source.name}:{text}"
    if path.is_dir():
        return f"folder:{text}"
    suffixes = " or ".join(suffix for source in SOURCES for suffix in source.suffixes)
    raise UsageError(
        f"{text} is neither a folder, a {suffixes} file, nor a source such as sklearn:digits or torchvision:Flowers102."
    )


def relative_uri(uri: str, folder: Path) -> str:
    """``uri`` with its path relative to ``folder`` where it names something that exists, else as it is.

    Paths of ``uri`` start from the working directory.
    """
    scheme, _, rest = uri.partition(":")
    path, question_mark, query = rest.partition("?")
    if not Path(os.path.expanduser(path)).exists():
        return uri
    relative = os.path.relpath(Path(os.path.expanduser(path)).resolve(), folder.resolve())
    return f"{scheme}:{relative}{question_mark}{query}"
