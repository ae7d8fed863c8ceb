"""Reports mark what comes from records that are not as they were written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fabricated import fabricate

from trionet_bench.analysis.results import Results, load
from trionet_bench.records.record import Record
from trionet_bench.records.store import file_digest, write_record
from trionet_bench.reporting.answer import coverage_line
from trionet_bench.reporting.tables.datasets import datasets_by_models
from trionet_bench.reporting.tables.overview import overview
from trionet_bench.reporting.tables.results import main_results, seed_results
from trionet_bench.reporting.tables.table import to_csv, to_html, to_latex, to_markdown

MARK = "\N{DOUBLE DAGGER}"
EDITED = "digits/conv/4M-s1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = fabricate(
        tmp_path, datasets=("digits", "flowers"), models=("conv", "local"), seeds=(0, 1), budgets=(4_000_000,)
    )
    for path in made.rglob("record.json"):  # as the store writes them
        value = json.loads(path.read_text())
        value["artifacts"] = {"predictions.npz": file_digest(path.with_name("predictions.npz"))}
        path.unlink()
        write_record(path.parent, Record.model_validate(value))
    return made


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
        assert (f"{MARK} from a record that was changed" in table.note) == bool(found[build.__name__])
    return found


def edit(folder: Path) -> None:
    path = folder / EDITED / "record.json"
    text = path.read_text()
    path.write_text(text.replace('"params": ', '"params": 1', 1))
    assert path.read_text() != text


def other_predictions(folder: Path) -> None:
    path = folder / EDITED / "predictions.npz"
    with np.load(path) as stored:
        columns = dict(stored)
    np.savez(path, **{**columns, "predictions": columns["labels"]})


@pytest.mark.parametrize("change", [edit, other_predictions])
def test_every_number_from_a_changed_record_is_marked(folder: Path, change: Callable[[Path], None]):
    results = load([folder])
    assert coverage_line(results) == "8 of 8 cells, 0 failed"
    assert marked(results) == {"main_results": [], "seed_results": [], "overview": [], "datasets_by_models": []}
    change(folder)
    results = load([folder])
    assert coverage_line(results) == f"8 of 8 cells, 0 failed, 1 record changed since written ({MARK}), see verify"
    assert marked(results) == {
        "main_results": ["digits conv Top-1 (%)"],
        "seed_results": ["digits conv seed 1"],
        "overview": ["conv digits"],
        "datasets_by_models": ["digits conv"],
    }
    table = main_results(results)
    assert table is not None
    changed = to_csv(table).splitlines()[0].split(",").index("changed")
    assert [line.split(",")[changed] for line in to_csv(table).splitlines()[1:]] == ["True", "False", "False", "False"]
    assert MARK in to_markdown(table, "t")
    assert MARK in to_html(table, "t")
    assert r"\textdaggerdbl{}" in to_latex(table, "t", "t")
