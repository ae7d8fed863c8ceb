"""What to keep of a table that has gaps, because cells are missing."""

from collections.abc import Callable

import pandas as pd


def without_gaps(wide: pd.DataFrame, worth: Callable[[pd.DataFrame], object]) -> pd.DataFrame | None:
    """The part of ``wide`` without a gap that is worth most; None where there is none.

    For each number of values considered: the columns that have at least as many, and the rows that all of these have.

    Args:
        worth: of a part, compared by ``<``.
    """
    counts = wide.count()
    parts = [wide[counts.index[counts >= least]].dropna() for least in sorted(set(counts))]
    best = max(parts, key=worth, default=None)  # type: ignore[arg-type]
    return None if best is None or best.empty else best
