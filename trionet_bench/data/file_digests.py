"""SHA-256 of every file of a data set, read by threads."""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trionet_bench.data.decoders import HEAD_BYTES, format_code
from trionet_bench.data.digest_cache import DIGEST_BYTES, DigestCache

BLOCK = 2**18  # bytes that are read at a time
GROUP_BYTES, GROUP_FILES = 2**24, 64  # that a thread takes at a time
THREADS = min(32, 4 * (os.cpu_count() or 1))
WORTH_KEEPING = 2**26  # bytes; what is read in a tenth of a second is read again
FILE_COST = 2**15  # bytes that are read in the time that opening a file takes
SAVED_AFTER = 8 * 10**9  # bytes; an interrupted reading goes on from there

Report = Callable[[int, int], None]  # bytes read, all bytes to read


class Stamps(NamedTuple):
    """What the file system says of files.

    Args:
        values: size, times of modification and of change in nanoseconds, and inode, uint64 (N, 4); zeros where there is
            no regular file.
    """

    values: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Bytes, int64 (N,)."""
        return self.values[:, 0].astype(np.int64)

    @property
    def regular(self) -> np.ndarray:
        """Whether there is a regular file, bool (N,)."""
        return self.values[:, 3] > 0

    def take(self, rows: np.ndarray) -> "Stamps":
        """The stamps of some files."""
        return Stamps(self.values[rows])


class Digests(NamedTuple):
    """SHA-256 uint8 (N, 32), zeros for a file that cannot be read; positions in ``decoders.FORMATS`` uint8 (N,)."""

    values: np.ndarray
    formats: np.ndarray


def stamps_of(root: Path, paths: Sequence[str]) -> Stamps:
    """The stamps of files below ``root``, asked for by threads, since a network answers slowly."""
    values = np.zeros((len(paths), 4), np.uint64)
    folder = str(root)

    def look(rows: np.ndarray) -> None:
        values[rows] = [_stamp(os.path.join(folder, path)) for path in _at(rows, paths)]

    for _ in _in_threads(look, np.arange(len(paths)), 16 * GROUP_FILES):
        pass
    return Stamps(values)


def digest_files(
    root: Path,
    paths: Sequence[str],
    stamps: Stamps,
    reread: bool = False,
    cache: DigestCache | None = None,
    report: Report | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> Digests:
    """The digests of files below ``root``.

    Args:
        stamps: of these files, as ``stamps_of`` gave them before.
        reread: read every file, whatever is remembered of it.
        cache: where digests are remembered; None reads every file.
        report: called while files are read.
        clock: the time of day in nanoseconds.
    """
    digests = Digests(np.zeros((len(paths), DIGEST_BYTES), np.uint8), np.zeros(len(paths), np.uint8))
    known = np.zeros(len(paths), bool)
    settled = DigestCache.settled(stamps.values, clock())
    if cache is not None and not reread:
        known = cache.recall(paths, stamps.values, digests.values, digests.formats)
    wanted = np.flatnonzero(stamps.regular & ~known)
    if not len(wanted):
        return digests
    sizes, folder = stamps.sizes, str(root)
    total, done, saved = int(sizes[wanted].sum()), 0, 0
    keeper = cache if total + FILE_COST * len(wanted) >= WORTH_KEEPING else None

    def read(rows: np.ndarray) -> None:
        read_here = [
            digest_file(os.path.join(folder, path), size)
            for path, size in zip(_at(rows, paths), sizes[rows].tolist(), strict=True)
        ]
        joined = b"".join(digest for digest, _ in read_here)
        digests.values[rows] = np.frombuffer(joined, np.uint8).reshape(-1, DIGEST_BYTES)
        digests.formats[rows] = [code for _, code in read_here]

    group = int(np.clip(GROUP_BYTES * len(wanted) // max(total, 1), 1, GROUP_FILES))
    for rows in _in_threads(read, wanted, group):
        known[rows] = settled[rows] & digests.values[rows].any(axis=1)
        done += int(sizes[rows].sum())
        if report is not None:
            report(done, total)
        if keeper is not None and done - saved >= SAVED_AFTER:
            keeper.remember(paths, stamps.values, digests.values, digests.formats, known)
            saved = done
    if keeper is not None:
        keeper.remember(paths, stamps.values, digests.values, digests.formats, known)
    return digests


def digest_file(path: str, size: int) -> tuple[bytes, int]:
    """SHA-256 of the ``size`` bytes of a file and the position of its format in ``decoders.FORMATS``.

    Zeros where it cannot be read.
    """
    digest, head = hashlib.sha256(), b""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while size > 0 and (block := os.read(descriptor, min(size, BLOCK))):
                head = head or block[:HEAD_BYTES]
                digest.update(block)
                size -= len(block)
        finally:
            os.close(descriptor)
    except OSError:
        return bytes(DIGEST_BYTES), 0  # decoding names the file and the reason
    return digest.digest(), format_code(head)


def _at(rows: np.ndarray, paths: Sequence[str]) -> list[str]:
    return [paths[row] for row in rows.tolist()]


def _stamp(path: str) -> tuple[int, int, int, int]:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return 0, 0, 0, 0  # decoding names the file and the reason
    if not stat.S_ISREG(found.st_mode):
        return 0, 0, 0, 0
    return found.st_size, found.st_mtime_ns % 2**64, found.st_ctime_ns % 2**64, max(1, found.st_ino % 2**64)


def _in_threads(work: Callable[[np.ndarray], None], rows: np.ndarray, group: int) -> Iterator[np.ndarray]:
    """Calls ``work`` for groups of rows; yields each group in order once it is done."""
    groups = [rows[start : start + group] for start in range(0, len(rows), group)]
    with ThreadPoolExecutor(THREADS if len(groups) > 1 else 1) as pool:
        for each, _ in zip(groups, pool.map(work, groups), strict=True):
            yield each
