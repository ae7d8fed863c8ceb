import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated import fabricate
from matplotlib.text import Text

from trionet_bench.analysis.results import Results, load
from trionet_bench.reporting.figures import FIGURES
from trionet_bench.reporting.figures.differences import draw_differences
from trionet_bench.reporting.figures.figure import Drawing, inline_svg, saved, settle
from trionet_bench.reporting.figures.placement import draw_placement
from trionet_bench.reporting.style import (
    STYLES,
    drawn_in,
    label_outer,
    looks,
    panels,
    same_limits,
    style_named,
)
from trionet_bench.reporting.text import signed
from trionet_bench.spaces.operators import OPERATORS

ALWAYS = {kind.name for kind in FIGURES} - {
    "accuracy_params",  # in proportion to MACs
    "training_set_size",
    "critical_difference",
    "examples",
    "spread_scatter",
    "recall",
    "retrieved",
    "pretext_progress",
    "pretext_loss",
    "pretext_probes",
    "fitness_scatter",
}


@pytest.fixture(scope="module")
def results(made_up: Path) -> Results:
    return load([made_up])


@pytest.fixture(scope="module", params=sorted(STYLES))
def drawings(request: pytest.FixtureRequest, results: Results) -> Iterator[dict[str, Drawing]]:
    style = style_named(request.param)
    with drawn_in(style):
        all_kinds = ((kind.name, kind.build(results, style)) for kind in FIGURES)
        built = {name: drawing for name, drawing in all_kinds if isinstance(drawing, Drawing)}
        for drawing in built.values():
            settle(drawing.figure)
        yield built


def test_figures_appear_only_with_their_data(drawings: dict[str, Drawing]):
    assert set(drawings) == ALWAYS


def test_every_figure_states_its_finding_and_keeps_its_data(drawings: dict[str, Drawing]):
    for name, drawing in drawings.items():
        assert drawing.alt.endswith("."), name
        assert len(drawing.data) > 0, name


def visible_texts(drawing: Drawing) -> list[Text]:
    return [text for text in drawing.figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def test_no_text_is_smaller_than_seven_points(drawings: dict[str, Drawing]):
    for name, drawing in drawings.items():
        assert min(text.get_fontsize() for text in visible_texts(drawing)) >= 7, name


def test_nothing_is_cut_off(drawings: dict[str, Drawing]):
    for name, drawing in drawings.items():
        drawn, page = drawing.figure.get_tightbbox(), drawing.figure.bbox_inches
        inside = drawn.x0 >= -0.01 and drawn.y0 >= -0.01 and drawn.x1 <= page.x1 + 0.01 and drawn.y1 <= page.y1 + 0.01
        assert inside, f"{name}: {drawn.extents} on {page.extents}"


def test_tick_labels_do_not_run_into_each_other(drawings: dict[str, Drawing]):
    for name, drawing in drawings.items():
        for axes in drawing.figure.axes:
            boxes = [
                label.get_window_extent()
                for label in axes.get_xticklabels()
                if label.get_text() and label.get_visible()
            ]
            for left, right in itertools.combinations(boxes, 2):
                assert not left.overlaps(right), name


def lightness(colour: str) -> float:
    """L* of CIELAB, from 0 to 100."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * luminance ** (1 / 3) - 16


def test_operators_are_told_apart_in_grey():
    values = [lightness(spec.colour) for spec in OPERATORS]
    assert min(abs(a - b) for a, b in itertools.combinations(values, 2)) > 8
    assert len({spec.hatch for spec in OPERATORS}) == len(OPERATORS.names())


TWENTY = ["conv", "local", "axial", *(f"model-{number}" for number in range(16)), "random"]

# Machado, Oliveira and Fernandes 2009, severity 1: linear RGB as a deuteranope and a protanope see it.
SIGHTS = (
    np.eye(3),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
)


def seen(colour: str, sight: np.ndarray) -> np.ndarray:
    """CIELAB, white D65."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
    x, y, z = np.cbrt(to_xyz @ np.clip(sight @ linear, 0.01, 1) / to_xyz.sum(axis=1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_twenty_models_are_told_apart_by_colour_marker_line_and_hatch():
    drawn = list(looks(TWENTY).values())
    assert len({look.colour for look in drawn}) == len({look.hatch for look in drawn}) == 20
    assert len({(str(look.line), str(look.marker)) for look in drawn}) == 20
    for one, other in itertools.combinations(drawn, 2):
        apart = [float(np.linalg.norm(seen(one.colour, sight) - seen(other.colour, sight))) for sight in SIGHTS]
        assert apart[0] > 20, (one.colour, other.colour)  # with normal sight; 2 can just be told
        assert one.marker != other.marker or min(apart) > 40, (one.colour, other.colour)


def test_files_carry_no_date(drawings: dict[str, Drawing]):
    drawing = drawings["accuracy_macs"]
    for form, mark in (("svg", b"<dc:date>"), ("pdf", b"CreationDate"), ("png", b"Software")):
        assert mark not in saved(drawing, form), form


def test_ids_of_two_figures_on_one_page_differ(drawings: dict[str, Drawing]):
    ids = []
    for name in ("accuracy_macs", "placement"):
        svg = inline_svg(saved(drawings[name], "svg"), name)
        ids.append(set(re.findall(r'\bid="([^"]+)"', svg)))
        targets = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
        assert targets <= ids[-1]
    assert not ids[0] & ids[1]


def test_critical_difference_needs_eight_data_sets(tmp_path: Path):
    pytest.importorskip("scikit_posthocs")
    kind = next(kind for kind in FIGURES if kind.name == "critical_difference")
    names = tuple(f"d{n}" for n in range(8))
    small = {"models": ("conv", "local", "axial"), "budgets": (4_000_000,), "images": 80, "side_files": False}
    folder = fabricate(tmp_path, datasets=names, **small)
    with drawn_in(STYLES["paper"]):
        drawing = kind.build(load([folder]), STYLES["paper"])
        assert drawing is not None
        for line in drawing.figure.axes[0].lines:
            if len(set(line.get_ydata())) == 1:  # a bar that joins models, which starts at the left
                assert list(line.get_xdata()) == sorted(line.get_xdata())
        assert kind.build(load([fabricate(tmp_path / "few", datasets=names[:7], **small)]), STYLES["paper"]) is None


def test_training_set_size_joins_data_sets_of_one_source(tmp_path: Path):
    kind = next(kind for kind in FIGURES if kind.name == "training_set_size")
    sizes = {"tenth": 100, "half": 500, "all": 1000}
    folder = fabricate(
        tmp_path,
        datasets=tuple(sizes),
        models=("conv", "axial"),
        budgets=(4_000_000,),
        images=50,
        side_files=False,
        train=sizes,
    )
    for name in sizes:
        for path in (folder / name).rglob("record.json"):
            path.write_text(path.read_text().replace(f"synthetic:{name}", f"folder:images?part={name}"))
    with drawn_in(STYLES["paper"]):
        drawing = kind.build(load([folder]), STYLES["paper"])
    assert drawing is not None
    assert sorted(set(drawing.data.images)) == [200, 600, 1100]  # with the search-validation images
    assert set(drawing.data.source) == {"folder:images"}


@pytest.mark.parametrize(("count", "labelled"), [(1, [0]), (3, [1]), (4, [2, 3]), (5, [3, 4]), (6, [4]), (7, [6])])
def test_labels_stand_below_the_lowest_row(count: int, labelled: list[int]):
    _, axes = panels(STYLES["paper"], count)
    label_outer(axes, "across", "up")
    assert [n for n, axis in enumerate(axes) if axis.get_xlabel()] == labelled
    columns = axes[0].get_gridspec().ncols
    assert [n for n, axis in enumerate(axes) if axis.get_ylabel()] == list(range(0, count, columns))


def test_compared_panels_cover_the_same_range():
    _, axes = panels(STYLES["paper"], 2)
    axes[0].set(xlim=(0, 5), ylim=(1, 2))
    axes[1].set(xlim=(3, 9), ylim=(-1, 1))
    same_limits(axes)
    assert all((axis.get_xlim(), axis.get_ylim()) == ((0, 9), (-1, 2)) for axis in axes)


def test_differences_of_several_metrics_are_told_apart(tmp_path: Path):
    folder = fabricate(tmp_path, datasets=("digits",), budgets=(4_000_000,), side_files=False)
    drawn = draw_differences(load([folder]), STYLES["paper"])
    assert drawn is not None
    assert drawn.figure.axes[0].get_xlabel() == "difference in points of test top-1, candidate minus baseline"
    declared = json.loads((folder / "suite.json").read_text())
    declared["comparisons"] += [{"metric": "val_top1", "baseline": "conv", "candidates": ["local"], "margin": None}]
    (folder / "suite.json").write_text(json.dumps(declared))
    drawn = draw_differences(load([folder]), STYLES["paper"])
    assert drawn is not None
    axis = drawn.figure.axes[0]
    labels = [tick.get_text() for tick in axis.get_yticklabels()]
    assert (labels[0], labels[-2]) == ("test top-1:", "validation top-1:")
    assert axis.get_xlabel() == "difference in points, candidate minus baseline"


def test_placement_map_counts_networks_and_sets_them_against_the_prior(results: Results, drawings: dict[str, Drawing]):
    place = 2 + 2 + 2  # of the third block of stage 3, which not every network has, among all
    incomplete = 0
    for number, dataset in enumerate(results.datasets):
        blocks = results.blocks[(results.blocks.model == "trionet") & (results.blocks.dataset == dataset)]
        having = blocks[(blocks.stage == 2) & (blocks.block == 2)].operator.tolist()
        counted, over_prior = drawings["placement"].figure.axes[2 * number : 2 * number + 2]
        for row, label in enumerate(counted.get_yticklabels()):
            count = having.count(label.get_text())
            over = signed(100 * (count / len(having) - 1 / 3), 0)  # the prior is a third each
            for axes, expected in ((counted, str(count)), (over_prior, over)):
                (text,) = (t.get_text() for t in axes.texts if t.get_position() == (place + 0.5, row + 0.5))
                assert text == expected, (dataset, label)
        totals = [label.get_text() for label in counted.get_xticklabels(minor=True)]
        if len(having) < len(blocks.drop_duplicates(["budget", "seed"])):
            assert totals[place] == f"of {len(having)}"
            incomplete += 1
        else:
            assert not totals
    assert incomplete


def test_placement_map_of_a_data_set_whose_networks_are_all_shallower(tmp_path: Path):
    results = load([fabricate(tmp_path, datasets=("digits", "flowers"), budgets=(4_000_000,), side_files=False)])
    blocks = results.blocks
    third = (blocks.stage == 2) & (blocks.block == 2)
    drawn = draw_placement(replace(results, blocks=blocks[~(third & (blocks.dataset == "flowers"))]), STYLES["paper"])
    assert drawn is not None
    counted = drawn.figure.axes[2]
    assert "flowers" in counted.get_title(loc="left")
    assert [label.get_text() for label in counted.get_xticklabels(minor=True)][6] == "of 0"
