"""Test images that one operator gets right and the others wrong."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.text import Text

from trionet_bench.analysis.predictions import class_name, won_images
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.labels import fit_widths
from trionet_bench.reporting.names import named
from trionet_bench.reporting.style import Style, new_figure
from trionet_bench.reporting.text import listed
from trionet_bench.units import counted

MAX_DATASETS = 2
ACROSS = 7


def draw_examples(results: Results, style: Style) -> Drawing | None:
    """For each single-operator model, the images that no other model gets right; needs the images themselves."""
    if results.images is None:
        return None
    models = list(dict.fromkeys(results.complete[results.complete.operator.notna()].model))
    models = [name for name in results.models if name in models]
    if len(models) < 2:
        return None
    rows: list[tuple[str, str, list[Any]]] = []
    tables = []
    for dataset in results.datasets:
        table = won_images(results, dataset, models)
        pictures = _pictures(results, dataset, table)
        if pictures:
            tables.append(table.assign(dataset=dataset))
            rows += [
                (dataset, model, won) for model in models if (won := [p for p in pictures if p[0].winner == model])
            ]
        if len(tables) == MAX_DATASETS:
            break
    if not rows:
        return None
    return _draw(results, rows, tables, style)


def _pictures(results: Results, dataset: str, table: Any) -> list[tuple[Any, np.ndarray, str, str]]:
    """The first images of each winner with their pixels; none without such images, and where the data are not here or
    have changed.
    """
    if table.empty:
        return []
    cell = results.complete[results.complete.dataset == dataset].iloc[0]
    chosen = table.groupby("winner", sort=False).head(ACROSS)
    assert results.images is not None
    pixels_of = results.images(cell.source, cell.fingerprint, chosen.image.tolist(), chosen.label.tolist(), cell.task)
    if pixels_of is None:
        return []
    return [
        (row, pixels, class_name(cell.class_names, row.label), class_name(cell.class_names, row.wrong))
        for row, pixels in zip(chosen.itertuples(), pixels_of, strict=True)
    ]


def _draw(results: Results, rows: list[tuple[str, str, list[Any]]], tables: list[Any], style: Style) -> Drawing:
    tile = style.page / (ACROSS + 1)
    figure = new_figure(style.page, len(rows) * (tile + 0.3 * style.scale), arranged=False)
    height = 1 / len(rows)
    of_models: dict[Text, str] = {}
    of_datasets: dict[Text, str] = {}
    captions: dict[Text, str] = {}
    for place, (dataset, model, pictures) in enumerate(rows):
        top = 1 - place * height
        below = top - 0.35 * height - 0.15 / figure.get_figheight() * style.scale
        at_left = figure.text(0.01, top - 0.35 * height, "", weight="bold", size=style.size)
        of_models[at_left] = named(model)
        of_datasets[figure.text(0.01, below, "", size=style.small)] = f"on {named(dataset)}"
        for column, (_, pixels, label, wrong) in enumerate(pictures):
            box = ((column + 1) / (ACROSS + 1), top - 0.9 * tile / figure.get_figheight(), 0.9 / (ACROSS + 1))
            axis = figure.add_axes((*box, 0.86 * tile / figure.get_figheight()))
            axis.imshow(pixels, cmap="gray" if pixels.ndim == 2 else None, interpolation="nearest")
            axis.set_axis_off()
            caption = axis.annotate(
                "", (0.5, 0), (0, -2), "axes fraction", "offset points", ha="center", va="top", size=style.small
            )
            captions[caption] = f"{named(label)}\nnot {named(wrong)}"
    pitch = figure.bbox.width / (ACROSS + 1)
    for labels, width in ((of_models, 0.9 * pitch), (of_datasets, 0.9 * pitch), (captions, 0.98 * pitch)):
        fit_widths(labels, width)
    data = pd.concat(tables, ignore_index=True)
    counts = [
        f"{table.winner.value_counts().get(model, 0)} by {model}"
        for table in tables[:1]
        for model in sorted(set(table.winner))
    ]
    first = tables[0].dataset.iloc[0]
    finding = f"On {first}, {counted(len(tables[0]), 'test image')} are won by one operator alone: {listed(counts)}."
    note = (
        "Right with every seed of the one, wrong with most seeds of each other; below: the class, and what most others "
        "said."
    )
    return Drawing(figure, data, finding, note)
