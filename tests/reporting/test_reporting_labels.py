"""Labels of figures as drawn: whatever names a user gives, they stay inside the figure, apart, and told apart."""

import gc
import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import fabricated
import numpy as np
import pandas as pd
import pytest
from fabricated import fabricate
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from trionet_bench.analysis.results import Results, load
from trionet_bench.records.task_info import TaskInfo
from trionet_bench.reporting.figures import FIGURES, classes
from trionet_bench.reporting.figures.classes import draw_confusion
from trionet_bench.reporting.figures.examples import draw_examples
from trionet_bench.reporting.figures.figure import Drawing, settle
from trionet_bench.reporting.names import named, short_forms, shortened
from trionet_bench.reporting.style import STYLES, drawn_in, label_outer, panels, shared_legend

# 100 characters each; the second and third differ in their middle
MODELS = [
    "a" * 99 + "1", "a" * 50 + "X" + "a" * 49, "a" * 50 + "Y" + "a" * 49, "水田" * 50, "🐞" * 100, "שלום" * 25,
    "ten chars " * 9 + "and longer", "W" * 100, "i" * 100, "snake_case" * 10, "서울" * 50, "x" * 40 + " " + "y" * 59,
]  # fmt: skip
DATASETS = ["data sets " * 10, "水田" * 49 + "火山", "🐞" * 50 + "d" * 50]
CLASSES = [*(f"class {n} " * 12 + "four" for n in range(4)), *MODELS[1:7]]


def renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): renamed(entry, names) for key, entry in value.items()}
    if isinstance(value, list):
        return [renamed(entry, names) for entry in value]
    return names.get(value, value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Twelve models on three data sets of ten classes, all with long names."""
    models = {f"model{n}": name for n, name in enumerate(MODELS)}
    datasets = {f"set{n}": name for n, name in enumerate(DATASETS)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fabricated, "CLASSES", CLASSES)
        folder = fabricate(
            tmp_path_factory.mktemp("long"),
            datasets=tuple(datasets),
            models=(*models, "conv"),
            seeds=(0, 1),
            budgets=(4_000_000,),
            images=60,
        )
    for path in folder.rglob("*.json"):
        path.write_text(json.dumps(renamed(json.loads(path.read_text()), models | datasets)))
    return load([folder])


@pytest.fixture(scope="module", params=sorted(STYLES))
def drawings(request: pytest.FixtureRequest, results: Results) -> Iterator[dict[str, Drawing]]:
    gc.collect()  # files that other tests left open would be errors here
    with warnings.catch_warnings(), drawn_in(STYLES[request.param]):
        warnings.simplefilter("error")  # axes that have no room left, a glyph that no font has
        built = {
            kind.name: drawing
            for kind in FIGURES
            if isinstance(drawing := kind.build(results, STYLES[request.param]), Drawing)
        }
        for drawing in built.values():
            settle(drawing.figure)
        yield built


def shown(figure: Figure) -> list[Text]:
    """The texts that drawing the figure draws; an axis also has others, such as labels of ticks beyond its limits."""
    texts: list[Text] = []
    draw = Text.draw

    def noted(self: Text, *arguments: Any) -> None:
        texts.append(self)
        draw(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", noted)
        figure.draw_without_rendering()
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def test_every_text_ends_inside_the_figure(drawings: dict[str, Drawing]):
    for name, drawing in drawings.items():
        box = drawing.figure.bbox
        for text in shown(drawing.figure):
            extent = text.get_window_extent()
            inside = extent.x0 >= box.x0 - 1 and extent.x1 <= box.x1 + 1
            assert inside and extent.y0 >= box.y0 - 1 and extent.y1 <= box.y1 + 1, f"{name}: {text.get_text()}"
        for legend in drawing.figure.legends:
            extent = legend.get_window_extent()
            assert box.x0 <= extent.x0 < extent.x1 <= box.x1, name


def overlapping(texts: list[Text]) -> list[tuple[str, str]]:
    """Pairs of texts of which one covers more than a fifth of the other's height, and any of its width."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    return [
        (one, other)
        for (one, a), (other, b) in combinations(boxes, 2)
        if min(a.x1, b.x1) > max(a.x0, b.x0) and min(a.y1, b.y1) - max(a.y0, b.y0) > 0.2 * min(a.height, b.height)
    ]


def test_texts_do_not_cover_each_other(drawings: dict[str, Drawing]):
    for name, drawing in drawings.items():
        assert not overlapping(shown(drawing.figure)), name


def test_panels_keep_their_room(drawings: dict[str, Drawing]):
    for name, drawing in drawings.items():
        for axes in drawing.figure.axes:
            columns = axes.get_gridspec().ncols if axes.get_subplotspec() else 1
            extent = axes.get_window_extent()
            assert extent.width > drawing.figure.bbox.width / columns / 4, name
            assert extent.height > 0.3 * drawing.figure.dpi, name


def entries(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def ticks(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_yticklabels()]


def test_names_that_differ_in_their_middle_stay_different(drawings: dict[str, Drawing]):
    legend = entries(drawings["accuracy_macs"].figure)
    assert len(set(legend)) == len(MODELS) + 2  # conv, and the front
    assert sum("X" in entry for entry in legend) == sum("Y" in entry for entry in legend) == 1
    for axes in drawings["confusion"].figure.axes:
        assert len(set(ticks(axes))) == len(CLASSES)
    differences = ticks(drawings["differences"].figure.axes[0])
    assert len(set(differences)) == len(differences) == len(MODELS)


def test_fixed_words_of_a_label_stay(drawings: dict[str, Drawing]):
    for axes in drawings["search_progress"].figure.axes:
        assert axes.get_title(loc="left").endswith(", 4M")
    for label in ticks(drawings["differences"].figure.axes[0]):
        assert label.endswith(" \N{MINUS SIGN} conv, 4M")
    for axes in drawings["inherited_scatter"].figure.axes:
        assert ": τ = " in axes.get_title(loc="left")
    for axes in drawings["placement"].figure.axes[::2]:
        assert axes.get_title(loc="left").endswith(": found, of 2 networks")


def test_name_from_right_to_left_does_not_turn_the_words_around_it(drawings: dict[str, Drawing]):
    mark = "\N{LEFT-TO-RIGHT MARK}"
    (label,) = (label for label in ticks(drawings["differences"].figure.axes[0]) if "ש" in label)
    name, rest = label.removeprefix(mark).split(mark)
    assert name.startswith("של")
    assert rest == " \N{MINUS SIGN} conv, 4M"


def test_long_labels_below_an_axis_keep_clear():
    with warnings.catch_warnings(), drawn_in(STYLES["paper"]):
        warnings.simplefilter("error")
        figure, axes = panels(STYLES["paper"], 3)
        for axis in axes:
            axis.set_xticks(range(3), MODELS[:3])
            axis.set_title(f"{named(DATASETS[0])}: fixed", loc="left")
        label_outer(axes, f"in points, {named(MODELS[1])} against {named(MODELS[2])}", "metric " * 30)
        settle(figure)
        figure.draw_without_rendering()
        box = figure.bbox
        for axis in axes:
            labels = axis.get_xticklabels()
            assert len({label.get_text() for label in labels}) == 3
            assert not overlapping(labels)
            assert axis.get_window_extent().width > box.width / 6
            for label in (*labels, axis.xaxis.label, axis.yaxis.label):
                extent = label.get_window_extent()
                assert box.x0 <= extent.x0 <= extent.x1 <= box.x1
                assert box.y0 <= extent.y0 <= extent.y1 <= box.y1


def test_numbers_on_an_axis_are_left_as_they_are():
    with drawn_in(STYLES["paper"]):
        figure, axes = panels(STYLES["paper"], 3)
        axes[0].set_xticks([0, 1, 2])
        before = [axis.xaxis.get_major_formatter() for axis in axes]
        settle(figure)
    assert [axis.xaxis.get_major_formatter() for axis in axes] == before


def test_legend_of_wide_names_has_fewer_columns():
    with drawn_in(STYLES["paper"]):
        widths = {}
        for letter in "iW":
            figure, axes = panels(STYLES["paper"], 3)
            names = [f"{letter * 20}{n}" for n in range(6)]
            shared_legend(figure, [axes[0].plot([0, 1])[0] for _ in names], names, STYLES["paper"])
            settle(figure)
            assert entries(figure) == names
            widths[letter] = len({round(text.get_window_extent().x0) for text in figure.legends[0].get_texts()})
    assert widths == {"i": 3, "W": 2}


def test_captions_of_examples_keep_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fabricated, "CLASSES", CLASSES)
    models = dict(zip(("conv", "local", "axial"), MODELS[1:4], strict=True))
    datasets = dict(zip(("d0", "d1"), DATASETS[1:], strict=True))
    folder = fabricate(tmp_path, datasets=tuple(datasets), models=tuple(models), budgets=(4_000_000,), images=200)
    (folder / "suite.json").unlink()
    for path in folder.rglob("record.json"):
        record = json.loads(path.read_text())
        record |= {"model": models[record["model"]], "dataset": datasets[record["dataset"]]}
        path.write_text(json.dumps(record))

    def pictures(
        source: str, fingerprint: str, images: list[int], labels: list[int], task: TaskInfo
    ) -> list[np.ndarray]:
        return [np.zeros((4, 4, 3)) for _ in images]

    with warnings.catch_warnings(), drawn_in(STYLES["paper"]):
        warnings.simplefilter("error")
        drawing = draw_examples(replace(load([folder]), images=pictures), STYLES["paper"])
        assert drawing is not None
        settle(drawing.figure)
        texts = shown(drawing.figure)
        assert len(texts) > 3
        assert not overlapping(texts)
        for text in drawing.figure.texts:
            for axes in drawing.figure.axes:
                assert not text.get_window_extent().overlaps(axes.get_window_extent()), text.get_text()


@pytest.mark.parametrize(
    ("text", "most", "at", "short"),
    [
        ("abcdefghijklmnopqrs", 9, 9, "ab…ijk…rs"),
        ("abcdefghijklmnopqrs", 9, 1, "abcd…pqrs"),  # shown anyway
        ("abcdefghijklmnopqrs", 9, 18, "abcd…pqrs"),
        ("abcdefghijklmnopqrs", 3, 9, "…j…"),
        ("abcdefghijklmnopqrs", 9, 4, "ab…def…rs"),
    ],
)
def test_part_from_the_middle_is_shown(text: str, most: int, at: int, short: str):
    assert shortened(text, most, at) == short


def test_short_forms_differ():
    names = ("model_lr0.1_long", "model_lr0.2_long", "model_lr0.1_wide", "a" * 30, "a" * 31, "b")
    forms = short_forms(names, 9)
    assert forms["model_lr0.1_wide"] == "mode…wide"
    assert forms["model_lr0.1_long"] == "mo….1_…ng"
    assert forms["model_lr0.2_long"] == "mo….2_…ng"
    assert forms["a" * 30] == "aaaa…aaaa (1)"  # no place tells them apart
    assert forms["a" * 31] == "aaaa…aaaa (2)"
    assert forms["b"] == "b"
    for most in range(1, 20):
        assert len(set(short_forms(names, most).values())) == len(names)


def test_many_short_classes_are_written_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fabricated, "CLASSES", [str(100 + n) for n in range(24)])
    folder = fabricate(tmp_path, datasets=("digits",), budgets=(4_000_000,), seeds=(0,))
    with drawn_in(STYLES["paper"]):
        drawing = draw_confusion(load([folder]), STYLES["paper"])
        assert drawing is not None
        settle(drawing.figure)
        for axes in drawing.figure.axes:
            labels = axes.get_xticklabels()
            assert [label.get_text() for label in labels] == [str(100 + n) for n in range(24)]
            assert not overlapping(labels)


def test_a_model_without_an_error_is_said_to_make_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = fabricate(tmp_path, datasets=("digits",), models=("conv", "axial"), budgets=(4_000_000,), seeds=(0,))
    shares = {"conv": [[0.6, 0.4], [0.0, 1.0]], "axial": [[1.0, 0.0], [0.0, 1.0]]}
    frames = {model: pd.DataFrame(rows, index=["cat", "dog"], columns=["cat", "dog"]) for model, rows in shares.items()}
    monkeypatch.setattr(classes, "confusion", lambda results, dataset, model: (frames[model], 1))
    with drawn_in(STYLES["paper"]):
        drawing = draw_confusion(load([folder]), STYLES["paper"])
    assert drawing is not None
    assert drawing.alt == ("On digits conv most often takes cat for dog (40 % of it) and axial makes no error.")
