"""Which images cannot be decoded: all are tried, in parallel, and the broken ones are named."""

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from trionet_bench.data.images import square
from trionet_bench.data.sources.base import Index, open_source, sha256
from trionet_bench.errors import DataError
from trionet_bench.files import write_atomically

PROBE_SIDE = 32  # a JPEG is read to its end even when decoded at a fraction of its size
SHOWN = 5


class Broken(NamedTuple):
    """One image that cannot be decoded, and what its decoder said."""

    part: str
    position: int
    item: str
    reason: str


def check(index: Index, workers: int | None = None, cache_dir: Path | None = None) -> tuple[Broken, ...]:
    """Every image of ``index`` that cannot be decoded, in order. The answer is kept in ``cache_dir`` for next time."""
    kept = cache_dir and cache_dir / f"broken-{sha256(index.fingerprint)[:24]}.json"
    if kept and kept.is_file():
        return tuple(Broken(*entry) for entry in json.loads(kept.read_text()))
    broken: list[Broken] = []
    for part in index.labels:
        if index.arrays(part) is None:
            broken += try_all(index, part, lambda part, position: probe(index, part, position), workers)
    if kept:
        write_atomically(kept, json.dumps(broken))
    return tuple(broken)


@dataclass(frozen=True)
class Inspection:
    """An opened source and the images of it that cannot be decoded."""

    index: Index
    broken: tuple[Broken, ...]

    def facts(self) -> dict[str, Any]:
        """What there is to say, as plain values."""
        index = self.index
        return {
            "source": index.uri,
            "name": index.name,
            "classes": list(index.classes),
            "counts": index.counts,
            "channels": index.channels,
            "native_size": index.native_size,
            "flip_safe": index.flip_safe,
            "fingerprint": index.fingerprint,
            "licence": index.licence,
            "citation": index.citation,
            "warnings": list(index.warnings),
            "broken": [{"part": each.part, "image": each.item, "reason": each.reason} for each in self.broken],
        }


def inspect(uri: str, data_root: Path | None = None, workers: int | None = None) -> Inspection:
    """Opens a source and decodes every image of it."""
    index = open_source(uri, data_root)
    return Inspection(index, check(index, workers))


def probe(index: Index, part: str, position: int) -> None:
    with index.read(part, position) as image:
        square(image, PROBE_SIDE, index.channels)


def try_all(index: Index, part: str, decode: Callable[[str, int], None], workers: int | None = None) -> list[Broken]:
    """Calls ``decode`` for every image of a part, in threads (decoding releases the interpreter's lock)."""

    def attempt(position: int) -> Broken | None:
        try:
            decode(part, position)
        except Exception as error:  # decoders raise what they like; whatever it is, this image is broken
            return Broken(part, position, index.item(part, position), str(error) or type(error).__name__)
        return None

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        return [broken for broken in pool.map(attempt, range(index.counts[part])) if broken]


def broken_images(index: Index, broken: Iterable[Broken]) -> DataError:
    """What to say when a run cannot start because of broken images."""
    named = [f"{entry.item} ({entry.reason})" for entry in broken]
    more = f"; and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return DataError(
        f"{index.uri}: {len(named)} of {sum(index.counts.values())} images cannot be decoded: "
        f"{'; '.join(named[:SHOWN])}{more}. Repair or remove them, or set skip_broken to leave them out and count them."
    )
