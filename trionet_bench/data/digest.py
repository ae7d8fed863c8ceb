"""SHA-256 of lists of strings, for the identity of data sets, splits and caches."""

import hashlib
from collections.abc import Iterable

import numpy as np


def sha256(*parts: str | bytes) -> str:
    """Hexadecimal SHA-256 over ``parts``, strings as UTF-8, or as the bytes of a path that is not UTF-8.

    Each part is preceded by its length, so that ("ab", "c") and ("a", "bc") differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode(errors="surrogateescape") if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


def digest_table(contents: Iterable[bytes | None]) -> np.ndarray:
    """SHA-256 of each, uint8 (N, 32); zeros for None."""
    nothing = bytes(hashlib.sha256().digest_size)
    digests = [nothing if content is None else hashlib.sha256(content).digest() for content in contents]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), -1)
