"""Text of strangers in records is neutral in every file of a report: formulas, control characters, markup, LaTeX."""

import csv
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from fabricated import fabricate

from trionet_bench.api.model_card import model_card
from trionet_bench.cli.main import main
from trionet_bench.records.store import read_record

EVIL = (
    "=cmd|'/C calc'!A0 \x1b[31m\x9b\u202e<script>alert(1)</script> ![x](http://evil.example/t) $x_1$ "
    r"\input{/etc/passwd} %{x} | *b* _c_ " + "\r\n=1"
)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results whose records have the text wherever a record may hold any."""
    failed = (("digits", "conv", 4_000_000, 1),)
    folder = fabricate(
        tmp_path_factory.mktemp("poisoned"),
        datasets=("digits",),
        models=("conv", "trionet"),
        seeds=(0, 1),
        budgets=(4_000_000,),
        epochs=3,
        failed=failed,
    )
    for path in folder.rglob("record.json"):
        value = json.loads(path.read_text())
        value |= {"warnings": [EVIL], "command": EVIL, "code": {"version": EVIL, "commit": EVIL, "dirty": False}}
        texts = {name: EVIL for name, item in value["environment"].items() if isinstance(item, str)}
        value["environment"] |= texts
        value["data"] |= {"source": f"hf:{EVIL}", "classes": [f"{EVIL} {number}" for number in range(10)]}
        value["space"]["name"] = EVIL
        if value.get("error"):
            value["error"] |= {"type": EVIL, "message": EVIL, "traceback": EVIL}
        path.write_text(json.dumps(value))
    suite = json.loads((folder / "suite.json").read_text())
    (folder / "suite.json").write_text(json.dumps(suite | {"title": EVIL}))
    return folder


@pytest.fixture(scope="module")
def report(poisoned: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The text of every file of the report, and what was printed, by name."""
    out = tmp_path_factory.mktemp("report")
    done = CliRunner().invoke(main, ["report", str(poisoned), "--out", str(out), "--formats", "html,md,csv,tex,svg"])
    assert done.exit_code == 0, done.output
    texts = {str(path.relative_to(out)): path.read_bytes().decode() for path in out.rglob("*") if path.is_file()}
    assert {Path(name).suffix for name in texts} >= {".html", ".md", ".csv", ".tex", ".svg"}
    assert sum("alert(1)" in text for text in texts.values()) > 5  # the text is there
    return texts | {"printed": done.output}


def test_no_file_holds_a_control_character(report: dict[str, str]):
    assert {name: CONTROL.findall(text) for name, text in report.items() if CONTROL.search(text)} == {}


def test_pages_hold_no_markup_of_strangers(report: dict[str, str]):
    pages = {name: text for name, text in report.items() if Path(name).suffix in (".html", ".md", ".svg")}
    assert [name for name, text in pages.items() if "<script>alert" in text] == []
    markdown = {name: text for name, text in pages.items() if name.endswith(".md")}
    assert [name for name, text in markdown.items() if "](http" in text] == []
    assert [name for name, text in markdown.items() if re.search(r"(?<!\\)\$x", text)] == []


def test_tables_hold_no_formula_and_no_command(report: dict[str, str]):
    cells = [
        cell
        for name, text in report.items()
        if name.endswith(".csv")
        for row in csv.reader(text.splitlines(keepends=True))
        for cell in row
        if not re.fullmatch(r"-?([0-9.]+(e[-+]?[0-9]+)?|inf)", cell)
    ]
    assert any("cmd|" in cell for cell in cells)
    assert [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@"))] == []
    latex = [text for name, text in report.items() if name.endswith(".tex")]
    assert any("passwd" in text for text in latex)
    assert [text for text in latex if r"\input{/etc" in text] == []


def test_a_model_card_holds_none_of_it_either(poisoned: Path):
    record = read_record(poisoned / "digits/trionet/4M-s0")
    assert record is not None
    card = model_card(record)
    assert "passwd" in card
    assert not CONTROL.search(card)
    plain = re.sub("`[^`\n]*`", "", card)  # code is shown as it is
    assert "<script>" not in plain
    assert "](http" not in plain
