"""Finds images that cannot be decoded, by decoding all of them in parallel."""

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from trionet_bench.data.digest import sha256
from trionet_bench.data.images import centre_square
from trionet_bench.data.index import Index
from trionet_bench.errors import DataError
from trionet_bench.files import write_atomically

PROBE_SIDE = 32  # pixels; a JPEG is read to its end even when it is decoded at a fraction of its size
IMAGES_NAMED = 5


class BrokenImage(NamedTuple):
    """An image that cannot be decoded: its place, what messages call it, and the decoder's message."""

    part: str
    position: int
    item: str
    reason: str


def find_broken_images(
    index: Index, workers: int | None = None, cache_dir: Path | None = None
) -> tuple[BrokenImage, ...]:
    """All images that cannot be decoded, in the order of the index.

    Args:
        workers: threads; one for each core when not given.
        cache_dir: the answer is stored there under the fingerprint of the index, and taken from there the next time.
    """
    stored = cache_dir and cache_dir / f"broken-{sha256(index.fingerprint)[:24]}.json"
    if stored and stored.is_file():
        return tuple(BrokenImage(*entry) for entry in json.loads(stored.read_text()))
    broken: list[BrokenImage] = []
    for part in index.labels:
        if index.arrays(part) is None:
            broken += decode_each(index, part, lambda part, position: _probe(index, part, position), workers)
    if stored:
        write_atomically(stored, json.dumps(broken))
    return tuple(broken)


def decode_each(
    index: Index, part: str, decode: Callable[[str, int], None], workers: int | None = None
) -> list[BrokenImage]:
    """Call ``decode(part, position)`` for every image of a part; an image is broken where it raises anything.

    Calls run in threads, since decoders release the interpreter lock.
    """

    def attempt(position: int) -> BrokenImage | None:
        try:
            decode(part, position)
        except Exception as error:  # decoders raise exceptions of any type
            return BrokenImage(part, position, index.item(part, position), str(error) or type(error).__name__)
        return None

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        return [broken for broken in pool.map(attempt, range(index.counts[part])) if broken]


def broken_images_error(index: Index, broken: Iterable[BrokenImage]) -> DataError:
    """The error of a run that cannot start because of broken images; it names the first few."""
    named = [f"{image.item} ({image.reason})" for image in broken]
    more = f"; and {len(named) - IMAGES_NAMED} more" if len(named) > IMAGES_NAMED else ""
    return DataError(
        f"{index.uri}: {len(named)} of {sum(index.counts.values())} images cannot be decoded: "
        f"{'; '.join(named[:IMAGES_NAMED])}{more}. "
        "Repair or remove them, or set skip_broken to leave them out and count them."
    )


def _probe(index: Index, part: str, position: int) -> None:
    with index.read(part, position) as image:
        centre_square(image, PROBE_SIDE, index.channels)
