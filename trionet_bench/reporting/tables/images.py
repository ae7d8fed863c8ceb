"""Declared comparisons image by image, seed by seed."""

import pandas as pd

from trionet_bench.analysis.predictions import paired_images
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import MINUS, compact, p_value


def image_by_image(results: Results) -> Table | None:
    """McNemar's exact test of each declared comparison, a row each data set and seed; None without predictions."""
    table = paired_images(results)
    if table.empty:
        return None
    text = pd.DataFrame(
        {
            "Comparison": [f"{row.candidate} {MINUS} {row.baseline}" for row in table.itertuples()],
            "Data set": table.dataset,
            "Budget": table.budget.map(compact),
            "Seed": table.seed.astype(str),
            "Images": table.images.astype(str),
            "Only candidate right": table.only_candidate.astype(str),
            "Only baseline right": table.only_baseline.astype(str),
            "McNemar p": table.p.map(p_value),
        }
    )
    note = (
        "Test images that one of the two networks gets right and the other wrong, at the largest budget. The exact "
        "test tells two trained networks apart, not two kinds of networks: it does not see the spread between seeds, "
        "and its p is not corrected."
    )
    return Table(table, text, note, groups=3, numbers=list(text.columns[3:]))
