"""Does the fitness of a FAB-NAS supernet, with labels or without, rank architectures as training for labels does?

Random architectures that spend about the budget are each trained alone for the task of the data set, and scored with
the weights of a supernet by what a search in it maximises, on the validation images (our choice; of the paper only the
abstract is known). Each training is a shared phase, the same for every supernet; the supernet is that of a ``fab``
model with the same options.
"""

from typing import TypeAlias

from pydantic import Field

from trionet_bench.spaces.fab import FabSpace
from trionet_bench.systems.alone_phases import alone_phases
from trionet_bench.systems.base import System
from trionet_bench.systems.cell import Cell, Phase
from trionet_bench.systems.fab.system import SupernetOptions, supernet_phase


class Options(SupernetOptions):
    """What a suite may say of a correlation: its supernet, and what is ranked.

    Args:
        architectures: how many.
        near: the least share of the budget that each spends.
        runs: times that each is trained alone; the truth is their mean.
    """

    architectures: int = Field(default=30, ge=3, lt=1000)
    near: float = Field(default=0.85, ge=0, lt=1)
    runs: int = Field(default=1, ge=1, lt=100)


FabCorrelationCell: TypeAlias = Cell[Options, FabSpace]


class FabCorrelation(System[Options, FabSpace]):
    """Ranks architectures by a supernet's fitness and by training each of them."""

    name = "fab-correlation"
    summary = (
        "networks of about one budget, ranked by the fitness of a FAB-NAS supernet and by training each of them alone"
    )
    options_type = Options
    space_type = FabSpace
    implementation = "trionet_bench.systems.fab_correlation.running:FabCorrelationRunner"

    def phases(self, cell: FabCorrelationCell) -> tuple[Phase, ...]:
        """The supernet, and the training of each architecture; none waits for another."""
        options = cell.options
        return (supernet_phase(cell), *alone_phases(cell, options.architectures, options.runs, options.near))
