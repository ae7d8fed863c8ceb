"""The mark of numbers that come from records of which something does not verify."""

from typing import Any

import pandas as pd

from trionet_bench.analysis.results import Results
from trionet_bench.reporting.text import DOUBTFUL


def mark_of(row: Any) -> str:
    """Behind the number of a row of ``summarise``."""
    return DOUBTFUL if row.doubtful else ""


def note_of(results: Results) -> str:
    """What the mark means, with a blank at the end; nothing where no number has it."""
    if results.doubtful.empty:
        return ""
    return f"{DOUBTFUL} from a record that does not verify: `trionet-bench verify` says why. "


def without_needless_column(data: pd.DataFrame) -> pd.DataFrame:
    """``data`` without its column ``doubtful`` where nothing is."""
    return data if data.doubtful.any() else data.drop(columns="doubtful")
