"""When a report is due. Nothing here loads pandas or matplotlib unless one is written."""

from pathlib import Path

from trionet_bench.errors import DamagedFile
from trionet_bench.records.declaration import read_declaration
from trionet_bench.records.layout import DECLARED, RECORD
from trionet_bench.records.store import read_head, record_folders
from trionet_bench.reporting.manifest import is_whole


def refresh_report(results_folder: Path, page_folder: Path) -> Path | None:
    """The page of a suite's report, written anew where it is not whole, or a record or what is declared is younger.

    Args:
        results_folder: of the suite.
        page_folder: where its report is or will be.

    None where no cell that the suite declares is complete; errors are those of ``page.write_report``.
    """
    records = list(record_folders(results_folder))
    declaration = results_folder / DECLARED
    if not _any_complete(records, _expected_keys(results_folder)):
        return None
    page = page_folder / "index.html"
    sources = [path for path in (declaration, *(folder / RECORD for folder in records)) if path.exists()]
    if (
        page.exists()
        and is_whole(page_folder)
        and page.stat().st_mtime >= max(path.stat().st_mtime for path in sources)
    ):
        return page
    from trionet_bench.integrity.cells import is_doubtful  # slow to import, as the page is, and rarely needed
    from trionet_bench.reporting.page import write_report

    return write_report([results_folder], page_folder, doubt=is_doubtful)


def _expected_keys(results_folder: Path) -> set[str]:
    """The keys that are declared; none where the declaration is damaged, of which the report warns."""
    try:
        declared = read_declaration(results_folder)
    except DamagedFile:
        return set()
    return {cell.key for cell in declared.expected if cell.key is not None} if declared else set()


def _any_complete(folders: list[Path], keys: set[str]) -> bool:
    """Whether a record is complete and, where there are keys, of a cell that is declared."""
    for folder in folders:
        try:
            head = read_head(folder)
        except DamagedFile:  # the report says so
            continue
        if head is not None and head.status == "complete" and (not keys or head.key in keys):
            return True
    return False
