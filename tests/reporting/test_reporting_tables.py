import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from fabricated import fabricate

from trionet_bench.analysis.results import Results, load
from trionet_bench.reporting.tables import TABLES
from trionet_bench.reporting.tables.table import Table, spans, to_csv, to_latex, to_markdown
from trionet_bench.reporting.text import DASH
from trionet_bench.systems.registry import SYSTEMS

GOLDEN = Path(__file__).parent / "golden"
KINDS = {kind.name: kind for kind in TABLES}
# Need ImageNet records, generated sets, a retrieval, or a search without labels.
OTHERWISE_TESTED = {"published", "controls", "references", "label_free"}
OF_CORRELATIONS = {"ranking", "placement_worth", "scores", "supernets"}  # a correlation is a study of its own


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two data sets, single operators and four arms of a searched model, one failed cell."""
    arms = {
        "trionet": {"sampler": "hierarchical", "sharing": "multi-head", "search": "evolution"},
        "uniform": {"sampler": "uniform", "sharing": "multi-head", "search": "evolution"},
        "prefix": {"sampler": "hierarchical", "sharing": "prefix", "search": "evolution"},
        "pair": {"operators": ["conv", "axial"], "sampler": "hierarchical", "sharing": "multi-head"},
    }
    folder = fabricate(
        tmp_path_factory.mktemp("results"),
        datasets=("digits", "textures"),
        models=("conv", "axial", *arms),
        budgets=(4_000_000, 8_000_000),
        images=200,
        epochs=3,
        options=arms,
        failed=(("textures", "axial", 4_000_000, 1),),
    )
    return load([folder])


def test_every_kind_of_table_is_held_by_a_golden_file(results: Results):
    built = [kind.name for kind in TABLES if kind.build(results)]
    assert set(built) == set(KINDS) - OTHERWISE_TESTED - OF_CORRELATIONS
    assert {path.stem for path in GOLDEN.glob("*.md")} == {*built} | OF_CORRELATIONS


@pytest.mark.parametrize("form", ["md", "csv", "tex"])
@pytest.mark.parametrize("name", [kind.name for kind in TABLES if kind.name not in OTHERWISE_TESTED])
def test_golden_table(results: Results, ranked: Path, name: str, form: str):
    table = KINDS[name].build(load([ranked]) if name in OF_CORRELATIONS else results)
    assert table is not None
    text = {
        "md": lambda: to_markdown(table, KINDS[name].title),
        "csv": lambda: _rounded(to_csv(table)),
        "tex": lambda: to_latex(table, name, KINDS[name].title),
    }[form]()
    path = GOLDEN / f"{name}.{form}"
    if "UPDATE_GOLDEN" in os.environ:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} has changed; if that is meant, run with UPDATE_GOLDEN=1"


def _rounded(csv: str) -> str:
    """The last digits of a float may differ between versions of numpy and scipy."""
    return str(pd.read_csv(io.StringIO(csv)).to_csv(index=False, float_format="%.6g"))


def test_models_are_told_by_system_operators_and_changed_options(tmp_path: Path):
    usual = SYSTEMS.get("trionet").options_type().model_dump(mode="json")
    hand = {"system": "standalone", "options": {"operator": ["conv", "axial"], "window": 5, "choose": []}}
    said = {
        "by-hand": hand,
        "trionet": {"system": "trionet", "options": usual},
        "drawn": {"system": "trionet", "options": usual | {"search": "random", "sandwich": False}},
        "foreign": {"system": "of-a-plugin", "options": {"tickets": 2, "draws": None}},
    }
    folder = fabricate(tmp_path, models=tuple(said), datasets=("digits",), budgets=(4_000_000,), images=50, epochs=1)
    for path in folder.rglob("record.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | said[record["model"]]))
    table = KINDS["models"].build(load([folder]))
    assert table is not None
    rows = table.text.set_index("Model")
    assert list(rows.loc["by-hand"]) == ["standalone", SYSTEMS.get("standalone").summary, "conv, axial", "window 5"]
    assert rows.loc["trionet", "Options"] == DASH
    assert rows.loc["drawn", "Options"] == "sandwich no; search random"
    assert list(rows.loc["foreign"])[:2] == ["of-a-plugin", DASH]
    assert rows.loc["foreign", "Options"] == "tickets 2"


HARD = Table(
    data=pd.DataFrame({"model": ["a_b", "c"], "x": [0.5, None]}),
    text=pd.DataFrame(
        {"Model": ["a_b & <i>50%</i>", "c|d"], "Top-1 (%)": ["99.1 ± 0.2", DASH], "n [k]": ["3", "2 of 3"]}
    ),
    note="100 % of {it}, #1 ≥ 2.",
    marks=pd.DataFrame([["", "best", ""], ["", "second", ""]], columns=["Model", "Top-1 (%)", "n [k]"]),
    numbers=["Top-1 (%)"],
)


def test_markdown_escapes_and_marks():
    lines = to_markdown(HARD, "Hard").splitlines()
    assert lines[0] == "**Hard.** 100 % of {it}, #1 ≥ 2."
    assert re.sub(" +", " ", lines[4]) == "| a\\_b &amp; &lt;i>50%&lt;/i> | **99.1 ± 0.2** | 3 |"
    assert re.sub(" +", " ", lines[5]) == f"| c\\|d | <u>{DASH}</u> | 2 of 3 |"


def test_latex_escapes_marks_and_rules():
    text = to_latex(HARD, "hard", "Hard")
    assert r"a\_b \& \textless{}i\textgreater{}50\%\textless{}/i\textgreater{}" in text
    assert r"\textbf{99.1 $\pm$ 0.2}" in text
    assert r"\underline{--}" in text
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert r"\begin{tabular}{lrl}" in text


def test_repeated_group_cells_span_rows_in_html_and_are_blank_in_latex():
    text = pd.DataFrame({"Data set": ["d", "d", "d", "e"], "Budget": ["4M", "4M", "8M", "8M"], "x": list("1234")})
    table = Table(text, text, groups=2)
    assert [row[:2] for row in spans(table)] == [[3, 2], [0, 0], [0, 1], [1, 1]]
    body = [line.replace(" ", "") for line in to_latex(table, "t", "T").splitlines() if line.endswith(r"\\")]
    assert body[1:] == [r"d&4M&1\\", r"&&2\\", r"&8M&3\\", r"e&8M&4\\"]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX here")
def test_latex_tables_compile(results: Results, tmp_path: Path):
    tables = [to_latex(table, kind.name, kind.title) for kind in TABLES if (table := kind.build(results))]
    document = "\n".join([*tables, to_latex(HARD, "hard", "Hard")])
    head = r"\documentclass{article}\usepackage[utf8]{inputenc}\usepackage{booktabs}\begin{document}\scriptsize"
    (tmp_path / "tables.tex").write_text(head + document.replace("[t]", "[p]") + r"\end{document}")
    run = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "tables.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-2000:]


def test_published_results_stand_in_columns_of_their_own(tmp_path: Path):
    folder = fabricate(
        tmp_path, datasets=("imagenet",), models=("resnet26",), budgets=(4_000_000,), images=50, epochs=1
    )
    for path in folder.rglob("record.json"):
        path.write_text(path.read_text().replace("synthetic:imagenet", "imagenet:/data"))
    table = KINDS["published"].build(load([folder]))
    assert table is not None
    assert table.data.top1.tolist() == [0.745, 0.736]
    assert list(table.text["Top-1 (%)"]) == ["74.5", "73.6"]
    assert table.data.macs.tolist() == [2.35e9, 2.4e9]
    assert "Ramachandran" in table.text["Published in"][0]
    ours = load([folder]).complete.test_top1.mean()
    assert table.data.our_top1.tolist() == pytest.approx([ours, ours])


def test_more_data_sets_than_models_are_rows(tmp_path: Path):
    folder = fabricate(tmp_path, models=("conv", "local"), seeds=(0, 1), budgets=(4_000_000,), side_files=False)
    table = KINDS["datasets"].build(load([folder]))
    assert table is not None
    assert list(table.text.columns) == ["Budget", "Data set", "conv", "local"]
    assert table.text["Data set"].tolist() == ["digits", "flowers", "textures", "mean", "mean rank"]
