"""Does a supernet rank architectures as training them does?

Architectures spread over the MACs and operators of the space (``search.spreading``), or near the budget, are each
trained from scratch with the recipe, and scored with the weights of a supernet; ``analysis.ranking`` correlates the
two. All metrics are
measured on the validation images, which neither guided a search nor trained anything, and the test images are not
touched (our choice; the paper reports no correlation). Inherited ones are taken after recalibration, as a search takes
them, and without: then all share running statistics averaged over sampled children.

Each training is a shared phase: arms that differ in their supernet, and a study of more architectures, reuse
those that are there. The supernet is that of a ``trionet`` model with the same options.
"""

from typing import ClassVar, TypeAlias

from pydantic import Field

from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.alone_phases import alone_phases
from trionet_bench.systems.base import System
from trionet_bench.systems.cell import Cell, Phase
from trionet_bench.systems.trionet.system import SupernetOptions, supernet_phase


class Options(SupernetOptions):
    """What a suite may say of a correlation: its supernet, and what is ranked.

    Args:
        architectures: how many.
        near: with it they are random networks that spend at least this share of the budget, as a search compares
            them; without it they are spread over all costs of the space.
        runs: times that each is trained alone; the truth is their mean.
    """

    added_later: ClassVar[tuple[str, ...]] = (*SupernetOptions.added_later, "near", "runs")

    architectures: int = Field(default=30, ge=3, lt=1000)
    near: float | None = Field(default=None, ge=0, lt=1)
    runs: int = Field(default=1, ge=1, lt=100)


CorrelationCell: TypeAlias = Cell[Options, ResNetSpace]


class Correlation(System[Options, ResNetSpace]):
    """Ranks architectures by a supernet and by training each of them."""

    name = "correlation"
    summary = "networks of about one budget, ranked by a supernet and by training each of them alone"
    options_type = Options
    space_type = ResNetSpace
    implementation = "trionet_bench.systems.correlation.running:CorrelationRunner"

    def phases(self, cell: CorrelationCell) -> tuple[Phase, ...]:
        """The supernet, and the training of each architecture; none waits for another."""
        options = cell.options
        return (supernet_phase(cell), *alone_phases(cell, options.architectures, options.runs, options.near))
