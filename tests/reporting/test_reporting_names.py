"""Names of classes, data sets and models are text in every output, whatever signs they hold."""

import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font

from trionet_bench.fonts import fonts_for, spelled
from trionet_bench.reporting.figures.figure import settle
from trionet_bench.reporting.names import shortened
from trionet_bench.reporting.style import STYLES, drawn_in, new_figure, panels, shared_legend
from trionet_bench.reporting.tables.table import Table, csv_of, to_latex, to_markdown

NAMES = [
    "a$_$", "$x^2", r"\frac{1}{2}", "50 %", "a & b", "snake_case", "x^2", "#1", "<b>bold</b>", '"quoted"', "café",
    "Жук", "ναός", "نحلة", "a|b", "*stars*", "=1+1", "@cmd", "-1",
]  # fmt: skip


OTHER_SCRIPTS = ["水", "서울", "สวัสดี", "हिन्दी", "🐞", "שלום"]


def test_character_that_no_font_has_is_spelled():
    missing = "\U0001fbc5"  # a symbol of old computers, of Unicode 13
    assert fonts_for([missing]) == ([], [missing])
    assert spelled(f"a{missing}b", [missing]) == "a[U+1FBC5]b"
    assert spelled("水田 a", ["水", "田"]) == "[U+6C34 7530] a"


def test_spelling_is_said_once():
    program = """
from matplotlib.figure import Figure
from trionet_bench.reporting.labels import prepare_labels
for name in ("a\\U0001fbc5", "b\\U0001fbc5"):
    figure = Figure()
    figure.subplots().set(title=name, xlabel=name)
    prepare_labels(figure)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.count("Figures spell characters that no installed font has") == 1
    assert done.stderr.count("\n") == 1


def test_character_is_taken_from_a_font_that_has_it():
    families, unknown = fonts_for(["Ж", "ن"])
    assert not unknown
    for character in "Жن":
        assert any(ord(character) in FT2Font(findfont(family)).get_charmap() for family in families)


def test_control_characters_neither_turn_nor_hide_a_label():
    with drawn_in(STYLES["paper"]):
        figure = new_figure(6, 4)
        axis = figure.subplots()
        axis.set_yticks([0], ["\u202ea\nb\tc\x1b"])
        axis.set_title("\u202eabc", loc="left")
        settle(figure)
    assert axis.get_yticklabels()[0].get_text() == r"\u202ea\nb\tc\x1b"
    assert axis.get_title(loc="left") == "\\u202eabc"


@pytest.mark.parametrize("style", STYLES)
def test_names_of_any_script_and_length_stay_inside_the_figure(style: str, tmp_path: Path):
    names = [*OTHER_SCRIPTS, "a" * 100, "many words " * 9, "x" * 40 + " " + "y" * 40]
    with warnings.catch_warnings(), drawn_in(STYLES[style]):
        warnings.simplefilter("error")  # a glyph that no font has, axes that have no room left
        figure, axes = panels(STYLES[style], 2)
        for axis in axes:
            lines = [axis.plot([0, 1], label=label)[0] for label in names]
            axis.set_yticks(range(len(names)), names)
            axis.set_title("a" * 100, loc="left")
        shared_legend(figure, lines, names, STYLES[style])
        settle(figure)
        box = figure.bbox
        for axis in axes:
            assert axis.get_window_extent().width > box.width / 8  # of the drawing something is left
            for label in (*axis.get_yticklabels(), axis.set_title(axis.get_title(loc="left"), loc="left")):
                extent = label.get_window_extent()
                assert box.x0 <= extent.x0 < extent.x1 <= box.x1
        for form in ("svg", "pdf", "png"):
            figure.savefig(tmp_path / f"names.{form}")
    shown = [label.get_text() for label in axes[0].get_yticklabels()]
    assert len(set(shown)) == len(names)
    assert shown[6].startswith("aaa")
    assert "…" in shown[6]


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [
        ("abcdefghijklmn", 9, "abcd…klmn"),
        ("abc", 3, "abc"),
        ("abcd", 3, "a…d"),
        ("水田水田水田", 5, "水田…水田"),
        ("WWWW", 2, "W…"),
        ("e\u0301" * 4, 3, "e\u0301…e\u0301"),  # an accent stays with its letter
        ("👩\u200d🔬" * 4, 3, "👩\u200d🔬…👩\u200d🔬"),  # an emoji of several
        ("[U+6C34]" * 4, 3, "[U+6C34]…[U+6C34]"),  # escapes are never cut
        (r"\x1b\u202e" * 3, 5, r"\x1b\u202e…\x1b\u202e"),
    ],
)
def test_long_label_keeps_both_ends(text: str, most: int, short: str):
    assert shortened(text, most) == short


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
    frame = pd.DataFrame(
        {"name": ["=1+1", "+1", "-1", "@cmd", "\tx", "plain", "\uff1d1", " =1"], "value": [-1.0, 2, 3, 4, 5, 6, 7, 8]}
    )
    lines = csv_of(frame).splitlines()
    assert lines[1:] == [
        "'=1+1,-1.0",
        "'+1,2.0",
        "'-1,3.0",
        "'@cmd,4.0",
        "'\tx,5.0",
        "plain,6.0",
        "'\uff1d1,7.0",
        "' =1,8.0",
    ]


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
