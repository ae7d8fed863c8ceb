"""What it costs to know data by their content: digests of all files, beside reading the same files once.

Both read with equally many threads, and from the disk where the operating system can be asked to forget what it holds
of a file.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trionet_bench.benchmarks.measure import Row, compared
from trionet_bench.caching import cache_folder
from trionet_bench.data.digest_cache import DigestCache
from trionet_bench.data.file_digests import BLOCK, GROUP_FILES, THREADS, digest_files, stamps_of

LIMIT = 1.25  # of the time that reading takes
SECONDS_AHEAD = 60  # of a clock by which files that were just written are old


class FileSet(NamedTuple):
    """Files of equal size."""

    name: str
    number: int
    size: int  # bytes


SHIPPED = (FileSet("photographs", 2000, 100_000), FileSet("thumbnails", 10_000, 3000))
QUICK = (FileSet("photographs", 200, 100_000),)


def measure_identity(files: FileSet, samples: int) -> Row:
    """A case: the first look at a set of files beside reading them once, and a second look."""
    folder = cache_folder()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        root = Path(scratch)
        names = _write(root, files)
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(samples):
            theirs.append(_milliseconds(root, names, lambda: _read_once(root, names)))
            ours.append(_milliseconds(root, names, lambda: _first_look(root, names)))
        cache = DigestCache(root, root)
        _look(root, names, cache)
        second = _milliseconds(root, names, lambda: _look(root, names, DigestCache(root, root)))
    case = f"identity of {files.number} {files.name} of {files.size / 1e3:g} kB"
    row = compared({"case": case, "batch": files.number, "device": "cpu"}, ours, "reading them once", theirs)
    seconds, megabytes = row["median_ms"] / 1000, files.number * files.size / 1e6
    return {
        **row,
        "files_per_s": files.number / seconds,
        "mb_per_s": megabytes / seconds,
        "reference_mb_per_s": megabytes / (row["reference_ms"] / 1000),
        "second_look_ms": second,
    }


def _write(root: Path, files: FileSet) -> list[str]:
    generator = np.random.default_rng(0)
    names = [f"{number}.bin" for number in range(files.number)]
    for name in names:
        with (root / name).open("wb") as file:
            file.write(generator.bytes(files.size))
            file.flush()
            os.fsync(file.fileno())  # only what is on the disk can be forgotten
    return names


def _milliseconds(root: Path, names: list[str], work: Callable[[], None]) -> float:
    """The time that ``work`` takes on files that are not in memory, where that can be asked for."""
    if sys.platform == "linux":
        for name in names:
            descriptor = os.open(root / name, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def _first_look(root: Path, names: list[str]) -> None:
    digest_files(root, names, stamps_of(root, names))


def _look(root: Path, names: list[str], cache: DigestCache) -> None:
    clock = lambda: time.time_ns() + SECONDS_AHEAD * 10**9  # noqa: E731
    digest_files(root, names, stamps_of(root, names), cache=cache, clock=clock)


def _read_once(root: Path, names: list[str]) -> None:
    def read(group: list[str]) -> None:
        for name in group:
            descriptor = os.open(root / name, os.O_RDONLY)
            while os.read(descriptor, BLOCK):
                pass
            os.close(descriptor)

    size = GROUP_FILES if len(names) > GROUP_FILES else 1
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(read, [names[start : start + size] for start in range(0, len(names), size)]))
