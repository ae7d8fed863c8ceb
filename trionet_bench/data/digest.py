"""SHA-256 of lists of strings, for the identity of data sets, splits and caches."""

import hashlib


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
