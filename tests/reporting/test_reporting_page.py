import itertools
import json
import re
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from fabricated import fabricate
from support.tasks import CLASSIFICATION

from trionet_bench.cli.report import report as command
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import StoreError, UsageError
from trionet_bench.reporting.manifest import MANIFEST
from trionet_bench.reporting.page import write_report
from trionet_bench.reporting.style import style_named
from trionet_bench.tasks.thumbnails import image_reader


@pytest.fixture(scope="module")
def report(made_up: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report([made_up], tmp_path_factory.mktemp("report"))


def test_opens_with_coverage_and_the_answer(report: Path):
    page = report.read_text()
    assert "88 of 90 cells, 1 failed, 1 missing" in page
    assert page.index("88 of 90 cells") > page.index(" may be the best; of these take ") < page.index("Main results")
    assert "2026-11-20" in page
    assert "0123456789ab" in page


def test_a_line_does_not_end_between_a_number_and_its_unit(report: Path):
    lead = re.search(r'<p class="lead">(.*?)</p>', report.read_text(), re.S)
    assert lead is not None
    assert re.search("[0-9.]+\N{NO-BREAK SPACE}%", lead[1])
    assert not re.search(r"[0-9] (%|points)", lead[1])


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
    assert "crab &amp; &lt;prawn&gt;" in page
    assert "<prawn>" not in page


def test_report_of_another_suite_is_not_overwritten(tmp_path: Path):
    small = {"datasets": ("digits",), "models": ("conv",), "budgets": (4_000_000,), "seeds": (0,), "epochs": 2}
    mine, other = (fabricate(tmp_path / "results", name=name, **small) for name in ("mine", "other"))
    write_report([other], tmp_path / "out", ["csv", "png"])
    with pytest.raises(UsageError, match="holds the report of other"):
        write_report([mine], tmp_path / "out", ["csv"])
    write_report([mine], tmp_path / "out", ["csv"], force=True)
    assert not list((tmp_path / "out").rglob("*.png"))  # what the first report left behind is gone


def test_a_folder_that_cannot_be_written_is_named_and_a_damaged_list_of_its_files_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    small = {"datasets": ("digits",), "models": ("conv",), "budgets": (4_000_000,), "seeds": (0,), "epochs": 2}
    folder = fabricate(tmp_path / "results", **small)
    (tmp_path / "file").touch()
    with pytest.raises(
        StoreError, match=f"{tmp_path / 'file' / 'x'} cannot be written: .* Name another folder by --out"
    ):
        write_report([folder], tmp_path / "file" / "x", ["csv"])
    write_report([folder], tmp_path / "out", ["csv"])
    whole = (tmp_path / "out" / MANIFEST).read_text()
    outside = json.dumps({"schema": 1, "suites": ["made-up"], "files": ["../file"]})
    for damaged in ('{"suites": ', '{"suites": [[1]], "files": []}', outside):
        (tmp_path / "out" / MANIFEST).write_text(damaged)
        write_report([folder], tmp_path / "out", ["csv"])
        assert f"{tmp_path / 'out' / MANIFEST}" in caplog.records[-1].message
        assert (tmp_path / "out" / f"{MANIFEST}.damaged").read_text() == damaged
        assert (tmp_path / "out" / MANIFEST).read_text() == whole
    assert (tmp_path / "file").exists()


def test_a_cell_that_was_not_run_leaves_a_dagger_and_says_so(tmp_path: Path):
    folder = fabricate(
        tmp_path / "results", datasets=("digits",), models=("conv", "axial"), budgets=(4_000_000,), images=100, epochs=2
    )
    complete = write_report([folder], tmp_path / "out", ["html", "csv"]).read_text()
    row = pd.read_csv(tmp_path / "out/tables/main.csv").set_index("model").loc["axial"]
    assert "6 of 6 cells, 0 failed" in complete
    (folder / "digits/axial/4M-s1/record.json").unlink()
    lacking = write_report([folder], tmp_path / "out", ["html", "csv", "md"]).read_text()
    assert "5 of 6 cells, 0 failed, 1 missing" in lacking
    shown = f"{100 * row['mean']:.1f} ± {100 * row.sd:.1f}"
    assert shown in complete
    assert shown not in lacking
    line = next(
        line for line in (tmp_path / "out/report.md").read_text().splitlines() if "| axial" in line and "±" in line
    )
    left = pd.read_csv(tmp_path / "out/tables/main.csv").set_index("model").loc["axial"]
    cells = [cell.strip() for cell in line.split("|")]
    assert (cells[4], cells[9]) == (f"{100 * left['mean']:.1f} ± {100 * left.sd:.1f}†", "2 of 3")


def test_smoke_runs_carry_a_banner(tmp_path: Path):
    folder = fabricate(
        tmp_path / "results",
        datasets=("digits",),
        models=("conv",),
        budgets=(4_000_000,),
        images=50,
        epochs=1,
        fidelity="smoke",
    )
    page = write_report([folder], tmp_path / "out", ["html", "md", "tex"]).read_text()
    assert page.index("Smoke run: too short to say anything about the models.") < page.index("Main results")
    for path in ("report.md", "tables/main.tex"):
        assert "Smoke run" in (tmp_path / "out" / path).read_text(), path


def test_each_figure_has_its_data_and_states_its_finding(report: Path):
    page = report.read_text()
    figures = sorted(path.stem for path in (report.parent / "figures").glob("*.svg"))
    assert len(figures) == 14
    for name in figures:
        assert (report.parent / "figures" / f"{name}.csv").is_file()
        start = page.index(f'id="figure-{name}"')
        assert re.search(r'role="img" aria-label="[^"]*[a-z][^"]*\."', page[start : start + 2000]), name


def test_opening_figures_have_a_version_for_phones_with_panels_one_below_the_other(report: Path):
    page = report.read_text()
    narrow = re.findall(r'<div class="for-phones">\s*<svg[^>]*width="([\d.]+)pt" height="([\d.]+)pt"', page)
    assert len(narrow) == page.count('<div class="for-pages">') == page.count('<div class="for-phones">') > 1
    assert {float(width) for width, _ in narrow} == {72 * style_named("paper").column}
    assert all(float(height) > float(width) for width, height in narrow)
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_a_figure_that_would_say_nothing_is_left_out_with_the_reason(report: Path):
    said = "Figure “Accuracy against parameters” is left out: parameters are in proportion to MACs"
    assert said in report.read_text()
    assert said in (report.parent / "report.md").read_text()
    assert not list((report.parent / "figures").glob("accuracy_params.*"))


def test_headings_step_down_one_at_a_time_and_tables_have_scopes(report: Path):
    page = report.read_text()
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert not re.search(r"<th(?!ead)(?![^>]*scope)[^>]*>", page)


def test_unknown_format_gets_the_nearest(made_up: Path, tmp_path: Path):
    with pytest.raises(UsageError, match='did you mean "html"'):
        write_report([made_up], tmp_path, ["htm"])


def test_command_reports_a_suite_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fabricate(tmp_path / "results", name="mine", datasets=("digits",), models=("conv",), budgets=(4_000_000,), epochs=1)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["mine", "--formats", "html,csv", "--json"], catch_exceptions=False)
    assert json.loads(result.stdout) == {"schema": 1, "report": "reports/mine/index.html"}
    assert (tmp_path / "reports/mine/index.html").is_file()
    (tmp_path / "mine").mkdir()  # images of that name beside the results
    again = CliRunner().invoke(command, ["mine", "--formats", "html", "--json"], catch_exceptions=False)
    assert json.loads(again.stdout)["report"] == "reports/mine/index.html"
    with pytest.raises(UsageError, match='No results of mind in results; did you mean "mine"'):
        CliRunner().invoke(command, ["mind"], catch_exceptions=False, standalone_mode=False)
    with pytest.raises(UsageError, match=r"No results of results/mind in results; allowed are mine\.$"):
        CliRunner().invoke(command, ["results/mind"], catch_exceptions=False, standalone_mode=False)


def test_test_images_are_shown_only_if_they_are_the_ones_that_were_tested():
    read = partial(image_reader(), task=CLASSIFICATION)
    content = open_source("sklearn:digits").fingerprint
    first = read("sklearn:digits", content, [0, 5], digits_labels()[[0, 5]].tolist())
    assert first is not None
    assert [pixels.shape for pixels in first] == [(8, 8, 3)] * 2
    assert read("sklearn:digits", content, [0], [(digits_labels()[0] + 1) % 10]) is None
    assert read("sklearn:digits", "0" * 64, [0], [digits_labels()[0]]) is None
    assert read("folder:nowhere", content, [0], [0]) is None


def digits_labels() -> np.ndarray:
    return open_source("sklearn:digits").labels["test"]


def test_examples_show_what_one_operator_alone_gets_right(tmp_path: Path):
    labels = digits_labels()
    folder = fabricate(
        tmp_path / "results",
        datasets=("digits",),
        models=("conv", "local", "axial"),
        budgets=(4_000_000,),
        seeds=(0,),
        epochs=1,
    )
    for path in folder.rglob("record.json"):
        record = json.loads(path.read_text().replace("synthetic:digits", "sklearn:digits"))
        record["data"]["fingerprint"] = open_source("sklearn:digits").fingerprint
        path.write_text(json.dumps(record))
        wrong = slice(0, 3) if "axial" not in str(path) else slice(3, 5)
        predictions = labels.copy()
        predictions[wrong] = (labels[wrong] + 1) % 10
        np.savez(path.with_name("predictions.npz"), labels=labels, predictions=predictions)
    page = write_report([folder], tmp_path / "out", ["html", "csv"], images=image_reader()).read_text()
    assert "On digits, 3 test images are won by one operator alone: 3 by axial." in page
    assert page.count("data:image/png;base64,") == 3
    declared = json.loads((folder / "suite.json").read_text())  # a data set of which nothing was run yet
    declared["expected"] += [cell | {"dataset": "a-later-one"} for cell in declared["expected"]]
    (folder / "suite.json").write_text(json.dumps(declared))
    page = write_report([folder], tmp_path / "out", ["html"], images=image_reader()).read_text()
    assert "3 missing" in page
    assert page.count("data:image/png;base64,") == 3
