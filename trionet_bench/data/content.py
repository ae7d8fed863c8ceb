"""Identity of data: a digest over the bytes of every file, in the order of the images, and the versions of decoders.

Paths and names do not enter it: a copy, or a folder that was renamed, is the same data. A set of more than
``SAMPLED_ABOVE`` bytes that was never read in full is known by names, sizes and the bytes of a sample.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from trionet_bench.caching import cache_folder
from trionet_bench.data.decoders import decoder_versions, every_decoder
from trionet_bench.data.digest import sha256
from trionet_bench.data.digest_cache import DigestCache
from trionet_bench.data.file_digests import Report, Stamps, digest_files, stamps_of
from trionet_bench.data.index import Content, Identity, Index
from trionet_bench.data.reading import RESTORE, reading
from trionet_bench.errors import DataError
from trionet_bench.progress import Progress, Task
from trionet_bench.randomness import derived_generator

SAMPLED_ABOVE = 20 * 10**9  # bytes
SAMPLE_FILES, SAMPLE_BYTES = 4096, 2 * 10**9  # at most, but at least one file
SHOWN_ABOVE = 10**9  # bytes; reading fewer shows no progress
MEGABYTE = 10**6


def identified(index: Index, reread: bool = False, identity: Identity | None = None) -> Index:
    """The index with its content read, and its fingerprint over that; as it is where it has no files.

    Arguments and errors as of ``read_content``.
    """
    if index.content is None:
        return index
    content = read_content(index.content, reread, identity)
    fingerprint = sha256(index.fingerprint, content.identity, content.digest, *content.decoders)
    return replace(index, content=content, fingerprint=fingerprint)


def read_content(content: Content, reread: bool = False, identity: Identity | None = None) -> Content:
    """The content with its digest; files that are known from before and untouched are not read.

    Args:
        reread: read the files, whatever is known of them.
        identity: how the set is to be known; None knows a large set by a sample until it was read in full.

    Raises:
        DataError: where a file that holds many images cannot be read. A single image that cannot be read is broken,
            which decoding finds.
    """
    stamps = stamps_of(content.root, content.paths)
    large = int(stamps.sizes.sum()) > SAMPLED_ABOVE
    cache = DigestCache(content.root, cache_folder())
    if identity is None:
        identity = "sample" if large and not cache.complete else "content"
    rows = np.arange(len(content.paths)) if identity == "content" else _sample(stamps)
    if len(rows) == len(content.paths):
        identity = "content"
    paths = content.paths if identity == "content" else [content.paths[row] for row in rows]
    with _progress(content.root) as report:
        digests = digest_files(content.root, paths, stamps.take(rows), reread, cache, report)
    if large and identity == "content":
        cache.mark_complete()
    if content.formats is not None and (unread := np.flatnonzero(~digests.values.any(axis=1))).size:
        raise _unreadable(content.root / paths[unread[0]])
    facts: list[str | bytes] = [digests.values.tobytes()]
    if identity == "sample":
        facts += [f"{path}\t{size}" for path, size in zip(content.paths, stamps.sizes, strict=True)]
    formats = np.unique(digests.formats[digests.values.any(axis=1)]) if content.formats is None else content.formats
    return replace(content, identity=identity, digest=sha256(*facts), decoders=decoder_versions(map(int, formats)))


def cache_name(index: Index, *what: str) -> str:
    """The name under which something that was decoded from the images may be kept.

    It changes with every byte of the images and with every decoder. Where not all bytes are known, it changes whenever
    a file was touched.
    """
    parts: list[str | bytes] = [index.fingerprint, every_decoder(), *what]
    if index.content is not None and index.identity == "sample":
        parts.append(stamps_of(index.content.root, index.content.paths).values.tobytes())
    return sha256(*parts)[:24]


def check_unchanged(index: Index) -> None:
    """DataError where the files are not those that ``index`` was made from, though paths and labels may be the same."""
    content = index.content
    if content is not None and read_content(content, identity=content.identity).digest != content.digest:
        raise DataError(
            f"{index.uri}: files below {content.root} were changed after they had been read to identify the data. "
            "Start the run again, which takes them as new data."
        )


def _sample(stamps: Stamps) -> np.ndarray:
    """Rows of the files that stand for a large set, ascending; the same in every run."""
    drawn = derived_generator(0, "identity").permutation(len(stamps.values))[:SAMPLE_FILES]
    fitting = int(np.searchsorted(np.cumsum(stamps.sizes[drawn]), SAMPLE_BYTES, side="right"))
    return np.sort(drawn[: max(1, fitting)])


@contextmanager
def _progress(root: Path) -> Iterator[Report]:
    """Shows the megabytes that were read, where there are many to read."""
    with ExitStack() as stack:
        task: Task | None = None

        def report(done: int, total: int) -> None:
            nonlocal task
            if total > SHOWN_ABOVE:
                if task is None:
                    task = stack.enter_context(Progress()).task(f"reading {root.name} once", total // MEGABYTE)
                task(done // MEGABYTE, total // MEGABYTE, "MB")

        yield report


def _unreadable(path: Path) -> DataError:
    try:
        with reading(path), path.open("rb"):
            return DataError(f"{path} cannot be read: reading stopped with an error. {RESTORE}")
    except DataError as error:
        return error
