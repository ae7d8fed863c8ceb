"""When a report is due. Nothing here loads pandas or matplotlib unless one is written."""

from pathlib import Path

from trionet_bench.records.layout import DECLARED, RECORD
from trionet_bench.records.store import read_head, read_json, record_folders


def refresh_report(results_folder: Path, page_folder: Path) -> Path | None:
    """The page of a suite's report, written anew where a record or what the suite declares is younger.

    Args:
        results_folder: of the suite.
        page_folder: where its report is or will be.

    None where no cell that the suite declares is complete; errors are those of ``page.write_report``.
    """
    records = list(record_folders(results_folder))
    declaration = results_folder / DECLARED
    if not _any_complete(records, read_json(declaration)):
        return None
    page = page_folder / "index.html"
    sources = [path for path in (declaration, *(folder / RECORD for folder in records)) if path.exists()]
    if page.exists() and page.stat().st_mtime >= max(path.stat().st_mtime for path in sources):
        return page
    from trionet_bench.reporting.page import write_report  # slow to import, and rarely needed

    return write_report([results_folder], page_folder)


def _any_complete(folders: list[Path], declared: dict[str, list[dict[str, object]]] | None) -> bool:
    """Whether a record is complete and, where the declaration has keys, of a cell that is declared."""
    expected = (declared or {}).get("expected", [])
    keys = {cell["key"] for cell in expected if "key" in cell}
    for folder in folders:
        head = read_head(folder)
        if head is not None and head.status == "complete" and (not keys or head.key in keys):
            return True
    return False
