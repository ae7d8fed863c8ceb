"""The mark of numbers that come from records, or predictions, which are not as they were written."""

from typing import Any

import pandas as pd

from trionet_bench.analysis.results import Results
from trionet_bench.reporting.text import CHANGED


def mark_of(row: Any) -> str:
    """Behind the number of a row of ``summarise``."""
    return CHANGED if row.changed else ""


def note_of(results: Results) -> str:
    """What the mark means, with a blank at the end; nothing where no number has it."""
    if results.changed.empty:
        return ""
    return f"{CHANGED} from a record that was changed since it was written: see `trionet-bench verify`. "


def without_needless_column(data: pd.DataFrame) -> pd.DataFrame:
    """``data`` without its column ``changed`` where nothing is."""
    return data if data.changed.any() else data.drop(columns="changed")
