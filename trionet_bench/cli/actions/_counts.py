"""Numbers of images as text."""

from collections.abc import Mapping


def counts_text(counts: Mapping[str, int]) -> str:
    """Images of each part, such as ``1437 train + 360 test``."""
    return " + ".join(f"{count} {part}" for part, count in counts.items())
