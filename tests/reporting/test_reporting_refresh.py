"""When the report of a suite is written anew."""

import json
import os
from pathlib import Path

import pytest
from fabricated import fabricate

from trionet_bench.reporting.refresh import refresh_report

CELL = ("digits", "conv", 4_000_000, 0)


def small(results: Path, **options: tuple[tuple[str, str, int, int], ...]) -> Path:
    return fabricate(
        results, "small", ("digits",), ("conv", "axial"), (0,), (4_000_000,), epochs=1, images=20, **options
    )


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return small(tmp_path / "results")


def test_a_page_is_kept_until_something_is_younger(suite: Path, tmp_path: Path):
    page = refresh_report(suite, tmp_path / "report")
    assert page == tmp_path / "report" / "index.html"
    record, declaration = next(suite.rglob("record.json")), suite / "suite.json"
    for path in suite.rglob("*.json"):
        os.utime(path, (100, 100))
    for source in (record, declaration):
        page.write_text("kept")
        os.utime(page, (200, 200))
        assert refresh_report(suite, tmp_path / "report") == page
        assert page.read_text() == "kept"
        os.utime(source, (300, 300))
        assert refresh_report(suite, tmp_path / "report") == page
        assert "<h1>" in page.read_text()
        os.utime(source, (100, 100))


def test_nothing_complete_is_no_report(tmp_path: Path):
    failed = (CELL, ("digits", "axial", 4_000_000, 0))
    assert refresh_report(small(tmp_path / "results", failed=failed), tmp_path / "report") is None
    assert refresh_report(tmp_path / "nothing", tmp_path / "report") is None
    assert not (tmp_path / "report").exists()


def test_records_of_another_state_of_the_suite_do_not_count(suite: Path, tmp_path: Path):
    declared = json.loads((suite / "suite.json").read_text())
    for cell in declared["expected"]:
        cell["key"] = "f" * 64
    (suite / "suite.json").write_text(json.dumps(declared))
    assert refresh_report(suite, tmp_path / "report") is None
