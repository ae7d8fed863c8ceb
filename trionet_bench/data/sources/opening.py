"""Opens any registered source by its URI."""

from dataclasses import replace
from pathlib import Path

from trionet_bench.data.content import identified
from trionet_bench.data.digest import sha256
from trionet_bench.data.index import Identity, Index
from trionet_bench.data.sources.base import Places
from trionet_bench.data.sources.classes import absent_class_warnings, check_labels, check_parts, similar_class_warnings
from trionet_bench.data.sources.registry import SOURCES
from trionet_bench.data.sources.uri import parse_uri
from trionet_bench.errors import DataError, UsageError


def open_source(
    uri: str,
    data_root: Path | None = None,
    base: Path | None = None,
    reread: bool = False,
    identity: Identity | None = None,
) -> Index:
    """The index of a source. Nothing is decoded or downloaded, and nothing written but to the cache folder.

    Its files are read to identify them, the first time and whenever they were touched since.

    Args:
        uri: ``scheme:path?option=value``.
        data_root: folder of the named sets; ``data`` in the working directory when not given.
        base: folder that relative paths start from; the working directory when not given.
        reread: read all files, also those that are untouched since they were read.
        identity: "content" reads large sets in full too, "sample" never does; by default they are read in part until
            they were once read in full.

    Raises:
        UsageError: for a malformed URI, an unknown scheme or an unknown option.
        DataError: where files are missing or are not what the source promises; it says where it looked.
    """
    parsed = parse_uri(uri)
    source = SOURCES.get(parsed.scheme)
    parsed.check_options(*source.options)
    try:
        opened = source.open_index(parsed, Places.of(data_root, base))
    except OSError as error:
        raise DataError(
            f"{uri}: {error.filename or 'a file'} cannot be read: {error.strerror or error}. Restore it, or make it "
            "readable."
        ) from error
    check_labels(opened)
    of_classes = (*absent_class_warnings(opened), *similar_class_warnings(opened))
    check_parts(opened)
    index = identified(opened, reread, identity)
    flip_safe = parsed.flag("flip", default=index.flip_safe)
    facts = [f"flip_safe={flip_safe}"]
    if index.value_range is not None:
        facts.append(f"range={index.value_range}")
    elif parsed.value_range() is not None:
        raise UsageError(f"{uri}: the images are 8-bit, 0 to 255, so that range has no effect; leave it out.")
    return replace(
        index,
        flip_safe=flip_safe,
        fingerprint=sha256(index.fingerprint, *facts),
        warnings=(*index.warnings, *of_classes),
    )
