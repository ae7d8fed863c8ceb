"""What README and the pages of docs/ show: blocks of code, and commands that a reader is told to type."""

import re
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"


def blocks_of(guide: str | Path, language: str) -> list[str]:
    """The code blocks of a language in a page of docs/, or in the file at a path."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / guide).read_text(encoding="utf-8"), re.S | re.M)


def block_of(guide: str | Path, language: str) -> str:
    """The first of ``blocks_of``."""
    return blocks_of(guide, language)[0]


def commands() -> Iterator[tuple[str, str]]:
    """(page, command) of all that begins with ``trionet-bench``, in blocks and in running text, each once.

    Those of the guides to adding something need files of their own: ``docs/test_guide_commands.py``.
    """
    seen = set()
    for page in (README, *sorted(set(DOCS.glob("*.md")) - set(DOCS.glob("adding-*.md")))):
        text = page.read_text(encoding="utf-8")
        shown = re.findall(r"^\$ (trionet-bench [^\n]*?)(?:  +#.*)?$", text, re.M)
        inline = re.findall(r"`(trionet-bench [^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
        for command in (*shown, *inline):
            if command not in seen:
                seen.add(command)
                yield page.name, command
