"""Names of classes, data sets and models are text in every output, whatever signs they hold."""

import warnings
from pathlib import Path

import pandas as pd
import pytest

from trionet_bench.reporting.style import STYLES, drawn_in, new_figure
from trionet_bench.reporting.tables.table import Table, csv_of, to_latex, to_markdown

NAMES = [
    "a$_$", "$x^2", r"\frac{1}{2}", "50 %", "a & b", "snake_case", "x^2", "#1", "<b>bold</b>", '"quoted"', "café",
    "Жук", "ναός", "نحلة", "a|b", "*stars*", "=1+1", "@cmd", "-1",
]  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_figures_draw_names_as_they_are_written(style: str, tmp_path: Path):
    with warnings.catch_warnings(), drawn_in(STYLES[style]):
        warnings.simplefilter("error")  # a glyph that no font has, a formula that cannot be read
        figure = new_figure(12, 12)
        axis = figure.subplots()
        axis.set_yticks(range(len(NAMES)), NAMES)
        axis.set_title(NAMES[0])
        axis.legend([axis.plot([0, 1])[0]], [NAMES[1]])
        for form in ("svg", "pdf", "png"):
            figure.savefig(tmp_path / f"names.{form}")
    assert [label.get_text() for label in axis.get_yticklabels()] == NAMES


def test_a_csv_file_holds_no_formula():
    frame = pd.DataFrame({"name": ["=1+1", "+1", "-1", "@cmd", "\tx", "plain"], "value": [-1.0, 2, 3, 4, 5, 6]})
    lines = csv_of(frame).splitlines()
    assert lines[1:] == ["'=1+1,-1.0", "'+1,2.0", "'-1,3.0", "'@cmd,4.0", "'\tx,5.0", "plain,6.0"]


def test_tables_of_pages_and_papers_escape_names():
    frame = pd.DataFrame({"class": NAMES})
    table = Table(frame, frame)
    markdown, latex = to_markdown(table, "Names"), to_latex(table, "names", "Names")
    assert "<b>" not in markdown
    assert r"\*stars\*" in markdown
    assert r"a\|b" in markdown
    assert r"a\$\_\$" in latex
    assert r"50 \%" in latex
    assert r"a \& b" in latex
    assert r"\textbackslash{}frac" in latex
