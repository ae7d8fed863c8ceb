"""The last words of ``compare``, against numbers worked out here from the records themselves."""

from pathlib import Path
from statistics import fmean

from trionet_bench.analysis.results import load
from trionet_bench.records.store import iter_records
from trionet_bench.reporting.answer import answer
from trionet_bench.reporting.verdict import verdict


def test_table_and_sentences(made_up: Path):
    table, words = verdict([made_up])
    records = [record for record in iter_records(made_up) if record.status == "complete"]
    first = records[0]
    conv = [r for r in records if (r.model, r.dataset, r.budget) == ("conv", first.dataset, first.budget)]
    accuracy = f"{100 * fmean(r.metrics['test_top1'] for r in conv):.1f}"
    shown = table[(table.model == "conv") & (table["top-1 %"] == accuracy)]
    assert len(shown) >= 1
    assert set(table.model) == {record.model for record in records}
    assert words == answer(load([made_up]))  # the terminal says what the page says
