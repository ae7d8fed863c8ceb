"""The head of a report in a README: numbers from the records, links that lead somewhere, nothing else touched."""

import re
from pathlib import Path
from statistics import fmean, stdev

import pytest
from click.testing import CliRunner
from fabricated import fabricate

from trionet_bench.cli.report import report
from trionet_bench.errors import UsageError
from trionet_bench.records.store import iter_records
from trionet_bench.reporting.showcase import BEGIN, END, put_between_marks
from trionet_bench.reporting.text import compact

MISSING = (("flowers", "local", 8_000_000, 2),)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A README beside results and a report of theirs, made by the command."""
    folder = tmp_path_factory.mktemp("project")
    sizes = {"datasets": ("digits", "flowers"), "models": ("conv", "local"), "images": 100, "epochs": 1}
    fabricate(folder / "results", side_files=False, missing=MISSING, **sizes)
    (folder / "README.md").write_text(f"# Mine\n\n{BEGIN}\nwhat was here\n{END}\n\nThe rest.\n")
    options = ["--out", folder / "reports", "--formats", "md,png", "--into", folder / "README.md"]
    done = CliRunner().invoke(report, [str(part) for part in (folder / "results" / "made-up", *options)])
    assert done.exit_code == 0, done.output
    return folder


def test_head_stands_between_the_marks(project: Path):
    text = (project / "README.md").read_text()
    assert text.startswith(f"# Mine\n\n{BEGIN}\n**")
    assert text.endswith(f"{END}\n\nThe rest.\n")
    assert "what was here" not in text
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) == 2  # the figure and the report
    assert all((project / link).is_file() for link in links)


def test_table_has_a_row_for_each_model_and_a_column_for_each_data_set(project: Path):
    lines = (project / "README.md").read_text().splitlines()
    head, _, *rows = [[part.strip() for part in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    assert head == ["Model", "digits", "flowers", "MACs", "One image (ms)"]
    assert [row[0] for row in rows] == ["conv", "local"]
    records = [record for record in iter_records(project / "results" / "made-up") if record.budget == 8_000_000]

    def spread(model: str, dataset: str) -> str:
        values = [100 * r.metrics["test_top1"] for r in records if (r.model, r.dataset) == (model, dataset)]
        return f"{fmean(values):.1f} ± {stdev(values):.1f}"

    for row in rows:
        macs = fmean(record.macs for record in records if record.model == row[0] and record.macs is not None)
        assert row[3] == compact(macs)
        assert "‡" in row[1]  # nothing that is made up verifies
        assert re.sub(r"[*†‡]|</?u>", "", row[1]) == spread(row[0], "digits")
        assert re.sub(r"[*†‡]|</?u>", "", row[2]) == spread(row[0], "flowers")
    assert ("†" in rows[0][2], "†" in rows[1][2]) == (False, True)  # local lacks a seed on flowers


@pytest.mark.parametrize("text", ["no marks", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_file_without_a_single_place_is_left_alone(tmp_path: Path, text: str):
    file = tmp_path / "README.md"
    file.write_text(text)
    with pytest.raises(UsageError, match="has no single place for a study; write <!-- study: begin -->"):
        put_between_marks(file, "new")
    assert file.read_text() == text
