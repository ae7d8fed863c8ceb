"""Digests of files that were read before, kept in the cache folder as long as the files are untouched.

What is remembered of a file holds as long as its size, times of modification and of change, and inode are the same. The
time of change is set by the operating system at each write and cannot be set back. A file that was changed within the
last two seconds may change again in the same tick of its clock and is not remembered.
"""

import hashlib
import io
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trionet_bench.data.digest import sha256
from trionet_bench.errors import StoreError
from trionet_bench.files import write_atomically

DIGEST_BYTES = 32
SETTLED_NS = 2 * 10**9
VERSION = "1"  # part of the names of stored files: raised when their layout changes


class _Entries(NamedTuple):
    """Paths, stamps uint64 (N, 4), digests uint8 (N, 32), formats uint8 (N,)."""

    paths: list[str]
    stamps: np.ndarray
    digests: np.ndarray
    formats: np.ndarray


class DigestCache:
    """What is remembered of the files below one folder.

    Args:
        root: the folder of the files.
        folder: where caches are.

    ``complete`` says that all files of a set below ``root`` were read at least once.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        name = sha256(VERSION, os.fsencode(root.absolute()))[:24]
        self.path = folder / "digests" / f"{name}.npz"
        self.complete = False
        self._entries = self._load()

    @staticmethod
    def settled(stamps: np.ndarray, now: int) -> np.ndarray:
        """Which of these files were changed so long before ``now``, in nanoseconds, that a later change shows."""
        return stamps[:, 2] < np.uint64(max(0, now - SETTLED_NS))

    def recall(self, paths: Sequence[str], stamps: np.ndarray, digests: np.ndarray, formats: np.ndarray) -> np.ndarray:
        """Fills in ``digests`` and ``formats`` of the files that are known and untouched; bool (N,) says which."""
        rows = self._rows_of(paths)
        known = rows >= 0
        known[known] = (self._entries.stamps[rows[known]] == stamps[known]).all(axis=1)
        digests[known] = self._entries.digests[rows[known]]
        formats[known] = self._entries.formats[rows[known]]
        return known

    def remember(
        self, paths: Sequence[str], stamps: np.ndarray, digests: np.ndarray, formats: np.ndarray, known: np.ndarray
    ) -> None:
        """Keeps what is ``known``, bool (N,), beside what is remembered of other files.

        A cache that cannot be written is a warning.
        """
        asked = set(paths)
        before = self._entries
        kept = [row for row, path in enumerate(before.paths) if path not in asked]
        rows = np.flatnonzero(known)
        self._entries = _Entries(
            [*(before.paths[row] for row in kept), *(paths[row] for row in rows.tolist())],
            np.concatenate([before.stamps[kept], stamps[rows]]),
            np.concatenate([before.digests[kept], digests[rows]]),
            np.concatenate([before.formats[kept], formats[rows]]),
        )
        self._save()

    def mark_complete(self) -> None:
        """Remember that all files of the set were read."""
        if not self.complete:
            self.complete = True
            self._save()

    def _rows_of(self, paths: Sequence[str]) -> np.ndarray:
        if self._entries.paths == list(paths):  # as it is from the second time on
            return np.arange(len(paths))
        rows = {path: row for row, path in enumerate(self._entries.paths)}
        return np.array([rows.get(path, -1) for path in paths], np.int64)

    def _load(self) -> _Entries:
        """What is stored; nothing where there is no file, or not as it was written."""
        nothing = _Entries(
            [], np.zeros((0, 4), np.uint64), np.zeros((0, DIGEST_BYTES), np.uint8), np.zeros(0, np.uint8)
        )
        try:
            content = self.path.read_bytes()
        except OSError:
            return nothing
        if hashlib.sha256(content[DIGEST_BYTES:]).digest() != content[:DIGEST_BYTES]:
            return nothing
        stored = np.load(io.BytesIO(content[DIGEST_BYTES:]), allow_pickle=False)
        text = os.fsdecode(stored["paths"].tobytes())
        self.complete = bool(stored["complete"])
        return _Entries(text.split("\0") if text else [], stored["stamps"], stored["digests"], stored["formats"])

    def _save(self) -> None:
        entries = self._entries
        buffer = io.BytesIO()
        np.savez(
            buffer,
            paths=np.frombuffer(os.fsencode("\0".join(entries.paths)), np.uint8),
            stamps=entries.stamps,
            digests=entries.digests,
            formats=entries.formats,
            complete=np.array(self.complete),
        )
        content = buffer.getvalue()
        try:
            write_atomically(self.path, hashlib.sha256(content).digest() + content)
        except StoreError as error:
            logging.getLogger(__name__).warning("%s Files will be read again.", error)
