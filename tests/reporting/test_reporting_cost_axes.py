"""Axes of cost: enough labelled ticks to read a value off, however close the costs are."""

import pytest
from matplotlib.figure import Figure

from trionet_bench.reporting.figures.accuracy import _log_scale
from trionet_bench.reporting.text import compact


def labels(costs: list[float]) -> list[str]:
    """What is written at the ticks that lie on the axis."""
    figure = Figure()
    axis = figure.subplots()
    _log_scale(axis, costs, compact)
    figure.draw_without_rendering()
    low, high = axis.get_xlim()
    assert low < min(costs)
    assert max(costs) < high
    ticks = axis.get_xticks()
    return [label.get_text() for tick, label in zip(ticks, axis.get_xticklabels(), strict=True) if low <= tick <= high]


@pytest.mark.parametrize(
    "costs",
    [[3e6], [2.23e6, 2.25e6, 2.31e6], [2.9e6, 3.9e6], [9.6e6, 10.1e6], [1e6, 8e6], [74e3, 80e3], [1e6, 4e9]],
    ids=lambda costs: "-".join(map(compact, costs)),
)
def test_at_least_three_different_labels_and_at_most_seven(costs: list[float]):
    written = labels(costs)
    assert 3 <= len(written) <= 7
    assert len(set(written)) == len(written)


def test_costs_that_are_about_equal_stay_close_together():
    assert labels([3.0e6, 3.03e6]) == ["2.75M", "3M", "3.25M"]
