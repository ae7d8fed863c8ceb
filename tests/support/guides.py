"""Code blocks of the guides in docs/."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def block_of(guide: str, language: str) -> str:
    """The first code block of a language."""
    match = re.search(rf"^```{language}\n(.*?)^```$", (DOCS / guide).read_text(), re.S | re.M)
    assert match is not None
    return match[1]
