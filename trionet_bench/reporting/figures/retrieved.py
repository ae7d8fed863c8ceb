"""Queries of a retrieval with the images that each model finds nearest."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.text import Text

from trionet_bench.analysis.predictions import class_name
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.retrieved import shown_queries
from trionet_bench.reporting.figures.figure import Drawing
from trionet_bench.reporting.labels import fit_widths
from trionet_bench.reporting.names import named
from trionet_bench.reporting.style import MET_COLOUR, MISSED_COLOUR, Style, new_figure
from trionet_bench.reporting.text import listed

MAX_DATASETS = 2
ACROSS = 8  # images found
_BORDER = 1.6  # points


def draw_retrieved(results: Results, style: Style) -> Drawing | None:
    """For a hard, a middling and an easy query, what each model finds; needs the images themselves."""
    if results.images is None:
        return None
    shown: list[tuple[str, pd.DataFrame, dict[int, np.ndarray]]] = []
    for dataset in results.datasets:
        table = shown_queries(results, dataset)
        pictures = _pictures(results, dataset, table)
        if pictures:
            shown.append((dataset, table, pictures))
        if len(shown) == MAX_DATASETS:
            break
    return _draw(results, shown, style) if shown else None


def _pictures(results: Results, dataset: str, table: pd.DataFrame) -> dict[int, np.ndarray]:
    """Pixels by position among the test images; none where the data are not here or have changed."""
    if table.empty:
        return {}
    cell = results.complete[results.complete.dataset == dataset].iloc[0]
    images = table.drop_duplicates("image")
    assert results.images is not None
    pixels = results.images(
        cell.source, cell.fingerprint, images.image.tolist(), images.image_label.tolist(), cell.task
    )
    return dict(zip(images.image.tolist(), pixels, strict=True)) if pixels is not None else {}


def _draw(results: Results, shown: Sequence[tuple[str, pd.DataFrame, dict[int, np.ndarray]]], style: Style) -> Drawing:
    lines = sum(len(table.groupby(["query", "model"])) for _, table, _ in shown)
    heads = sum(table["query"].nunique() for _, table, _ in shown)
    columns = ACROSS + 2.2  # the query, and the model's name at the left
    tile, head = style.page / columns, 0.28 * style.scale
    height = lines * tile + heads * head
    figure = new_figure(style.page, height, arranged=False)
    top = height
    models: dict[Text, str] = {}
    for dataset, table, pictures in shown:
        names = results.complete[results.complete.dataset == dataset].class_names.iloc[0]
        for (_, label), of_query in table.groupby(["query", "label"], sort=False):
            top -= head
            title = f"{named(dataset)}: a query of class {named(class_name(names, label))}"
            figure.text(0.01, (top + 0.08 * style.scale) / height, title, weight="bold", size=style.size)
            for model, line in of_query.groupby("model", sort=False):
                top -= tile
                models[figure.text(0.01, (top + 0.45 * tile) / height, "", size=style.size)] = named(model)
                for row in line.itertuples():
                    place = 1.2 + row.rank if row.rank else 1.0
                    box = (place / columns, (top + 0.06 * tile) / height, 0.88 / columns, 0.88 * tile / height)
                    axis = figure.add_axes(box)
                    axis.imshow(pictures[row.image], interpolation="nearest")
                    axis.set_xticks([])
                    axis.set_yticks([])
                    axis.grid(False)
                    right = row.image_label == row.label
                    for side in axis.spines.values():
                        side.set_visible(bool(row.rank))
                        side.set_color(MET_COLOUR if right else MISSED_COLOUR)
                        side.set_linewidth(_BORDER * style.scale)
                        side.set_linestyle("-" if right else ":")
    fit_widths(models, 0.95 * figure.bbox.width / columns)
    data = pd.concat([table.assign(dataset=dataset) for dataset, table, _ in shown], ignore_index=True)
    note = (
        "A hard, a middling and an easy query: the 10th, 50th and 90th percentile of the average precision, mean over "
        f"models. At the left the query, then the {ACROSS} nearest of all other test images, the nearest first; with a "
        "solid border: of the query's class, with a dotted one: of another. The largest budget, the first seed."
    )
    return Drawing(figure, data, _finding(data), note)


def _finding(data: pd.DataFrame) -> str:
    found = data[data["rank"] > 0]
    right = (found.image_label == found.label).groupby(found.model, sort=False).sum()
    return (
        f"Of {int((found.model == right.index[0]).sum())} images found for these queries, "
        f"{listed([f'{count} of {model}' for model, count in right.items()])} are of the query's class."
    )
