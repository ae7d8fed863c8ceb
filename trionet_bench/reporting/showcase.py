"""The head of a report in another Markdown file, such as a README: what to take, the main figure, a small table."""

import os
from pathlib import Path

from trionet_bench.analysis.results import Results
from trionet_bench.errors import StoreError, UsageError
from trionet_bench.reporting.answer import answer, opening
from trionet_bench.reporting.figures import FIGURES
from trionet_bench.reporting.tables.overview import overview
from trionet_bench.reporting.tables.table import to_markdown
from trionet_bench.reporting.text import listed, prose

BEGIN, END = "<!-- study: begin -->", "<!-- study: end -->"
_SENTENCES = 3  # of a study that ranks networks


def showcase(results: Results, report: Path, seen_from: Path) -> str:
    """Sentences, figure and table of a study as Markdown.

    Args:
        report: folder of its report, whose first figure is shown.
        seen_from: folder of the file that will hold the text.
    """
    sentences = opening(results) or answer(results)[:_SENTENCES]
    parts = [f"**{prose(sentences[0])}**", *map(prose, sentences[1:])] if sentences else []
    pictures = (report / "figures" / f"{kind.name}.png" for kind in FIGURES)
    picture = next((path for path in pictures if path.is_file()), None)
    if picture is not None:
        parts.append(f"![{prose(listed(results.declared.titles))}: the main figure]({_relative(picture, seen_from)})")
    table = overview(results)
    if table is not None:
        parts.append(to_markdown(table, listed(results.declared.titles)).strip())
    text = report / "report.md"
    if text.is_file():
        parts.append(f"[The whole report]({_relative(text, seen_from)})")
    return "\n\n".join(parts)


def put_between_marks(file: Path, text: str) -> None:
    """Replace what stands between ``BEGIN`` and ``END`` in a file.

    UsageError where it has not each of them once, in this order; StoreError where it cannot be read or written.
    """
    try:
        before = file.read_text(encoding="utf-8")
        head, begun, rest = before.partition(BEGIN)
        _, ended, tail = rest.partition(END)
        if not begun or not ended or BEGIN in rest or END in tail:
            raise UsageError(
                f"{file} has no single place for a study; write {BEGIN} and below it {END} where it is to stand."
            )
        file.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{file} cannot be read or written: {error.strerror or error}.") from error


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
