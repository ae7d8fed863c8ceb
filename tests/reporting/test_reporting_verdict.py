"""The last words of ``compare``, against numbers worked out here from the records themselves."""

from pathlib import Path
from statistics import fmean

import pandas as pd

from trionet_bench.analysis.results import load
from trionet_bench.records.store import iter_records
from trionet_bench.reporting.verdict import sentence, verdict


def test_table_and_sentence(made_up: Path):
    table, words = verdict([made_up])
    records = [record for record in iter_records(made_up) if record.status == "complete"]
    first = records[0]
    conv = [r for r in records if (r.model, r.dataset, r.budget) == ("conv", first.dataset, first.budget)]
    accuracy = f"{100 * fmean(r.metrics['test_top1'] for r in conv):.1f}"
    shown = table[(table.model == "conv") & (table["top-1 %"] == accuracy)]
    assert len(shown) >= 1
    assert set(table.model) == {record.model for record in records}
    assert words.endswith(".")
    # declared candidates are spoken of with the ratio of their mean MACs to the baseline's
    budget = min(record.budget for record in records)
    at_budget = [record for record in records if record.budget == budget and record.macs]
    mean = {model: fmean(r.macs or 0 for r in at_budget if r.model == model) for model in ("conv", "axial")}
    assert f"at {mean['axial'] / mean['conv']:.2f} of its MACs" in words


def test_a_difference_that_only_its_own_interval_shows(made_up: Path):
    row = pd.Series(
        {
            **{
                "metric": "test_top1",
                "candidate": "axial",
                "baseline": "conv",
                "budget": next(iter_records(made_up)).budget,
            },
            **{"mean": -0.03, "low": -0.05, "high": -0.01, "verdict": "undecided"},
        }
    )
    alone = sentence(load([made_up]), row)
    assert alone.startswith("axial alone is behind conv by 3.0 ± 2.0 points")
    assert alone.endswith("but not among all that is compared")
    assert "cannot be told" in sentence(load([made_up]), row.replace(-0.01, 0.01))
