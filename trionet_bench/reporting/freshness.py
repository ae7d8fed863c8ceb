"""Whether a report has to be written again. Loads neither pandas nor matplotlib."""

from pathlib import Path

from trionet_bench.records.layout import DECLARED, RECORD
from trionet_bench.records.store import record_folders


def is_current(page: Path, results: Path) -> bool:
    """Whether ``page`` exists and is as new as every record of a suite's folder and as what the suite declares."""
    if not page.exists():
        return False
    sources = [results / DECLARED, *(folder / RECORD for folder in record_folders(results))]
    return page.stat().st_mtime >= max(path.stat().st_mtime for path in sources)
