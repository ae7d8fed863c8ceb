"""When the report of a suite is written anew."""

import json
import os
from pathlib import Path

import pytest
from fabricated import fabricate

from trionet_bench.analysis.results import load
from trionet_bench.errors import StoreError
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


@pytest.mark.parametrize("cut_short", ["report.md", "tables/main.md"])
def test_a_report_that_was_cut_short_is_written_again(
    suite: Path, tmp_path: Path, cut_short: str, monkeypatch: pytest.MonkeyPatch
):
    whole = refresh_report(suite, tmp_path / "whole")
    assert whole is not None
    write = Path.write_bytes

    def refuse(path: Path, content: bytes) -> int:
        if str(path).endswith(cut_short):
            write(path, content[:10])
            raise OSError(28, "No space left on device")
        return write(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", refuse)
        with pytest.raises(StoreError, match="No space left on device"):
            refresh_report(suite, tmp_path / "report")
    refresh_report(suite, tmp_path / "report")
    files = {path.relative_to(whole.parent) for path in whole.parent.rglob("*") if path.is_file()}
    assert files == {
        path.relative_to(tmp_path / "report") for path in (tmp_path / "report").rglob("*") if path.is_file()
    }
    assert all((tmp_path / "report" / file).read_bytes() == (whole.parent / file).read_bytes() for file in files)


@pytest.mark.parametrize(
    "change",
    [
        {"expected": {"name": [0]}},
        {"expected": [{"model": "conv"}]},
        {"expected": [["conv"]]},
        {"name": None},
        {"comparisons": [{"baseline": {}, "candidates": ["conv"]}]},
        {"looks": [3]},
    ],
)
def test_a_declaration_of_another_shape_is_named_and_left_out(
    suite: Path, change: dict[str, object], caplog: pytest.LogCaptureFixture
):
    declared = json.loads((suite / "suite.json").read_text())
    (suite / "suite.json").write_text(json.dumps({"schema": 1, **declared, **change}))
    assert not load([suite]).declared.from_suite
    assert f"{suite / 'suite.json'} is not a declaration of a suite" in caplog.text
