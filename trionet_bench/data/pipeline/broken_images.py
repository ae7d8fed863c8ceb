"""Finds images that cannot be decoded, by decoding all of them in parallel."""

import json
import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from trionet_bench.data.content import cache_name, check_unchanged
from trionet_bench.data.images import centre_square
from trionet_bench.data.index import Index
from trionet_bench.data.reading import reason_of
from trionet_bench.errors import BenchError, DataError, StoreError
from trionet_bench.files import write_atomically

PROBE_SIDE = 32  # pixels; a JPEG is read to its end even when it is decoded at a fraction of its size
IMAGES_NAMED = 5
REMEDY = "Repair or remove them, or set skip_broken to leave them out and count them."


class BrokenImage(NamedTuple):
    """An image that cannot be decoded: its place, what messages call it, and the decoder's message.

    ``lasting`` is False where the reason lies in the machine and not in the file, so that it may be gone the next time.
    """

    part: str
    position: int
    item: str
    reason: str
    lasting: bool = True


def find_broken_images(
    index: Index, workers: int | None = None, cache_dir: Path | None = None
) -> tuple[BrokenImage, ...]:
    """All images that cannot be decoded, in the order of the index.

    Args:
        workers: threads; one for each core when not given.
        cache_dir: the answer is stored there under the content of the images, and taken from there the next time.

    Raises:
        DataError: where files were changed since the index was made.
    """
    name = cache_name(index, "broken") if cache_dir else ""
    stored = cache_dir and cache_dir / f"broken-{name}.json"
    if stored and (known := load_broken(stored, index)) is not None:
        return tuple(known)
    broken: list[BrokenImage] = []
    for part in index.labels:
        if index.arrays(part) is None:
            broken += decode_each(index, part, lambda part, position: _probe(index, part, position), workers)
    check_unchanged(index)
    if stored and name == cache_name(index, "broken"):
        save_broken(stored, broken)
    return tuple(broken)


def load_broken(path: Path, index: Index) -> list[BrokenImage] | None:
    """What ``save_broken`` left, with the names that ``index`` has; None where there is nothing, or nothing sound."""
    try:
        entries = json.loads(path.read_text())
        return [BrokenImage(part, position, index.item(part, position), reason) for part, position, reason in entries]
    except (OSError, ValueError, TypeError, LookupError):
        return None


def save_broken(path: Path, broken: Iterable[BrokenImage]) -> bool:
    """Keep the broken images of a content; False where one may be sound the next time, or the disk refuses.

    The latter is a warning.
    """
    entries = list(broken)
    if not all(image.lasting for image in entries):
        return False
    try:
        write_atomically(path, json.dumps([(image.part, image.position, image.reason) for image in entries]))
    except StoreError as error:
        logging.getLogger(__name__).warning("%s Images will be decoded again.", error)
        return False
    return True


def decode_each(
    index: Index, part: str, decode: Callable[[str, int], None], workers: int | None = None
) -> list[BrokenImage]:
    """Call ``decode(part, position)`` for every image of a part; an image is broken where it raises anything.

    Calls run in threads, since decoders release the interpreter lock. Errors of this program are passed on.
    """

    def attempt(position: int) -> BrokenImage | None:
        try:
            decode(part, position)
        except BenchError:
            raise
        except Exception as error:  # decoders raise exceptions of any type
            return _broken(index, part, position, error)
        return None

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        return [broken for broken in pool.map(attempt, range(index.counts[part])) if broken]


def broken_images_error(index: Index, broken: Iterable[BrokenImage]) -> DataError:
    """The error of a run that cannot start because of broken images; it names the first few."""
    named = [f"{image.item} ({image.reason})" for image in broken]
    more = f"; and {len(named) - IMAGES_NAMED} more" if len(named) > IMAGES_NAMED else ""
    return DataError(
        f"{index.uri}: {len(named)} of {sum(index.counts.values())} images cannot be decoded: "
        f"{'; '.join(named[:IMAGES_NAMED])}{more}. " + REMEDY
    )


def _broken(index: Index, part: str, position: int, error: Exception) -> BrokenImage:
    """An image whose decoding raised ``error``; only errors of the operating system have a number."""
    of_machine = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None)
    return BrokenImage(part, position, index.item(part, position), reason_of(error), lasting=not of_machine)


def _probe(index: Index, part: str, position: int) -> None:
    with index.read(part, position) as image:
        centre_square(image, PROBE_SIDE, index.channels)
