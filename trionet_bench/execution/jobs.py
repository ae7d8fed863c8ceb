"""What a run carries out: a cell, or a phase that several cells share.

Jobs travel to workers, so their paths are absolute.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, Self, TypeAlias

from trionet_bench.records.layout import cell_name, format_budget
from trionet_bench.records.record import Input
from trionet_bench.systems.cell import AnyCell, Phase


class CellName(NamedTuple):
    """Identifies a cell within its suite."""

    dataset: str
    model: str
    budget: int
    seed: int

    def __str__(self) -> str:
        return f"{self.dataset} {self.model} {format_budget(self.budget)} s{self.seed}"


@dataclass(frozen=True)
class CellJob:
    """A cell to be carried out.

    Args:
        folder: for its files.
        phases: those that it needs, in order.
        inputs: the finished ones among them, by name; all of them once the job can start.
    """

    cell: AnyCell
    folder: Path
    phases: tuple[Phase, ...]
    inputs: Mapping[str, Input] = field(default_factory=dict)

    @property
    def name(self) -> CellName:
        """Identifies the cell within its suite."""
        return CellName(self.cell.data.name, self.cell.model, self.cell.budget, self.cell.seed)

    @property
    def label(self) -> str:
        """For people."""
        return str(self.name)

    @property
    def claim(self) -> str:
        """The name under which runners agree on who does it."""
        return f"{self.name.dataset},{self.name.model},{cell_name(self.name.budget, self.name.seed)}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the phases that must be done before."""
        return tuple(phase.key for phase in self.phases)

    @property
    def similar(self) -> tuple[Hashable, ...]:
        """Groups of jobs that take about as long, the closest first."""
        return (self.name, self.name[:3], self.name[:2])

    @property
    def key(self) -> str:
        """The cell's key on the inputs of the job."""
        return self.cell.key({name: item.content for name, item in self.inputs.items()})

    @property
    def stand_in_key(self) -> str:
        """The key of a cell that failed before its phases were done: their keys stand in for their contents."""
        return self.cell.key({phase.name: phase.key for phase in self.phases})

    def on(self, inputs: Mapping[str, Input]) -> Self:
        """The same job on finished phases."""
        return replace(self, inputs=inputs)


@dataclass(frozen=True)
class PhaseJob:
    """A phase to be carried out.

    Args:
        cell: the first that needs it.
        folder: for its files.
        phase: what is carried out.
        needs: keys of the phases that must be done before.
        content: the content hash of what it left, once it is finished.
        inputs: the finished phases that it needs, by name; all of them once the job can start.
    """

    cell: AnyCell
    folder: Path
    phase: Phase
    needs: tuple[str, ...]
    content: str | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.cell.data.name} {self.cell.model} {self.phase.name} s{self.cell.seed}"

    @property
    def claim(self) -> str:
        """The name under which runners agree on who does it."""
        return f"phase,{self.folder.name}"

    @property
    def similar(self) -> tuple[Hashable, ...]:
        """Groups of jobs that take about as long, the closest first."""
        return ((self.cell.data.name, self.phase.name),)

    @property
    def key(self) -> str:
        """SHA-256 of the phase's specification."""
        return self.phase.key

    def on(self, inputs: Mapping[str, Input]) -> Self:
        """The same job on finished phases."""
        return replace(self, inputs=inputs)


Job: TypeAlias = CellJob | PhaseJob
