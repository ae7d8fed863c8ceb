"""The last words of ``compare``, against numbers worked out here from the records themselves."""

from pathlib import Path
from statistics import fmean

from trionet_bench.records.store import iter_records
from trionet_bench.reporting.verdict import verdict


def test_table_and_sentence(made_up: Path):
    table, sentence = verdict([made_up])
    records = [record for record in iter_records(made_up) if record.status == "complete"]
    first = records[0]
    own = [r for r in records if (r.model, r.dataset, r.budget) == ("conv", first.dataset, first.budget)]
    accuracy = f"{100 * fmean(r.metrics['test_top1'] for r in own):.1f}"
    shown = table[(table.model == "conv") & (table["top-1 %"] == accuracy)]
    assert len(shown) >= 1
    assert set(table.model) == {record.model for record in records}
    assert sentence.endswith(".")
    # declared candidates are spoken of with the ratio of their mean MACs to the baseline's
    budget = min(record.budget for record in records)
    at_budget = [record for record in records if record.budget == budget and record.macs]
    mean = {model: fmean(r.macs or 0 for r in at_budget if r.model == model) for model in ("conv", "axial")}
    assert f"at {mean['axial'] / mean['conv']:.2f} of its MACs" in sentence
