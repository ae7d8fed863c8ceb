"""Reports mark what comes from records that do not verify, and name these."""

from pathlib import Path

import pytest
from fabricated import fabricate

from trionet_bench.analysis.results import Results, load
from trionet_bench.records.record import Record
from trionet_bench.reporting.answer import coverage_line
from trionet_bench.reporting.tables.datasets import datasets_by_models
from trionet_bench.reporting.tables.overview import overview
from trionet_bench.reporting.tables.results import main_results, seed_results
from trionet_bench.reporting.tables.table import to_csv, to_html, to_latex, to_markdown

MARK = "\N{DOUBLE DAGGER}"
DOUBTED = ("digits", "conv", 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fabricate(
        tmp_path, datasets=("digits", "flowers"), models=("conv", "local"), seeds=(0, 1), budgets=(4_000_000,)
    )


def marked(results: Results) -> dict[str, list[str]]:
    """The cells of each table that have the mark, by their row and column."""
    found = {}
    for build in (main_results, seed_results, overview, datasets_by_models):
        table = build(results)
        assert table is not None
        keys = [name for name in ("Data set", "Model") if name in table.text]
        found[build.__name__] = [
            " ".join([*(row[key] for key in keys), column])
            for _, row in table.text.iterrows()
            for column in table.text.columns
            if MARK in str(row[column])
        ]
        assert (f"{MARK} from a record that does not verify" in table.note) == bool(found[build.__name__])
    return found


def is_the_doubted(folder: Path, record: Record) -> bool:
    assert folder.parts[-3:-1] == (record.dataset, record.model)
    return (record.dataset, record.model, record.seed) == DOUBTED


def test_every_number_from_a_doubtful_record_is_marked(folder: Path):
    results = load([folder])
    assert coverage_line(results) == "8 of 8 cells, 0 failed"
    assert marked(results) == {"main_results": [], "seed_results": [], "overview": [], "datasets_by_models": []}
    results = load([folder], doubt=is_the_doubted)
    assert coverage_line(results) == f"8 of 8 cells, 0 failed, 1 record does not verify ({MARK}): digits/conv/4M-s1"
    assert marked(results) == {
        "main_results": ["digits conv Top-1 (%)"],
        "seed_results": ["digits conv seed 1"],
        "overview": ["conv digits"],
        "datasets_by_models": ["digits conv"],
    }
    table = main_results(results)
    assert table is not None
    doubtful = to_csv(table).splitlines()[0].split(",").index("doubtful")
    assert [line.split(",")[doubtful] for line in to_csv(table).splitlines()[1:]] == ["True", *["False"] * 3]
    assert MARK in to_markdown(table, "t")
    assert MARK in to_html(table, "t")
    assert r"\textdaggerdbl{}" in to_latex(table, "t", "t")


def test_of_many_doubtful_records_the_first_are_named(folder: Path):
    line = coverage_line(load([folder], doubt=lambda folder, record: record.seed == 1 or record.model == "conv"))
    named = "digits/conv/4M-s0, digits/conv/4M-s1, digits/local/4M-s1, flowers/conv/4M-s0 and 2 more"
    assert line == f"8 of 8 cells, 0 failed, 6 records do not verify ({MARK}): {named}"
