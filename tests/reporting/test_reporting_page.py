from html.parser import HTMLParser
from pathlib import Path

import pytest
from fabricated import fabricate

from trionet_bench.errors import UsageError
from trionet_bench.reporting.page import write_report


@pytest.fixture(scope="module")
def report(made_up: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report([made_up], tmp_path_factory.mktemp("report"))


def test_opens_with_coverage_and_the_answer(report: Path):
    page = report.read_text()
    assert "88 of 90 cells, 1 failed, 1 missing" in page
    assert page.index("trionet has the highest mean accuracy") < page.index("Main results")
    assert "2026-11-20" in page
    assert "0123456789ab" in page


def test_two_reports_of_one_store_are_the_same_to_the_byte(tmp_path: Path):
    folder = fabricate(
        tmp_path / "results", datasets=("digits",), budgets=(4_000_000,), seeds=(0, 1), images=100, epochs=4
    )
    for name in ("first", "second"):
        write_report([folder], tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*"))
    assert {path.suffix for path in files} == {".html", ".md", ".csv", ".tex", ".svg", ".pdf", ".png", ".json"}
    for path in files:
        assert (tmp_path / "first" / path).read_bytes() == (tmp_path / "second" / path).read_bytes(), path


class _Page(HTMLParser):
    """Tags seen, and every attribute that would load something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "data")]


def test_page_has_no_script_and_loads_nothing(report: Path):
    page = _Page()
    page.feed(report.read_text())
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert all(target.startswith(("#", "data:image/png;base64,")) for target in page.loaded)


def test_text_from_records_is_escaped(report: Path):
    page = report.read_text()
    assert "loss is not finite at epoch 3 &lt;b&gt;&amp;" in page
    assert "epoch 3 <b>" not in page


def test_report_of_another_suite_is_not_overwritten(made_up: Path, tmp_path: Path):
    other = fabricate(
        tmp_path / "results", name="other", datasets=("digits",), budgets=(4_000_000,), seeds=(0,), epochs=2
    )
    write_report([other], tmp_path / "out", ["csv", "png"])
    with pytest.raises(UsageError, match="holds the report of other"):
        write_report([made_up], tmp_path / "out", ["csv"])
    write_report([made_up], tmp_path / "out", ["csv"], force=True)
    assert not list((tmp_path / "out").rglob("*.png"))  # what the first report left behind is gone
