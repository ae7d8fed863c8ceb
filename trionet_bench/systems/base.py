"""What a system is: a declaration that suites and plans read, and a runner that carries its cells out. No torch here.

Adding a system is a folder with a ``System`` and a ``SystemRunner``, and a line in ``systems.registry``
(``docs/adding-system.md``).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, cast

from pydantic import BaseModel

from trionet_bench.errors import StoreError, UsageError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.phase import PhaseRecord, read_phase
from trionet_bench.records.record import CellResult
from trionet_bench.registry import resolve
from trionet_bench.spaces.choice import Space
from trionet_bench.systems.cell import AnyCell, Cell, Phase
from trionet_bench.systems.work import Work, final_network

O = TypeVar("O", bound=BaseModel)  # noqa: E741
S = TypeVar("S", bound=Space)


@dataclass(frozen=True)
class RunContext:
    """Where and with what a cell or phase is carried out.

    Args:
        folder: for its files; what is there from an interrupted run may be continued from.
        inputs: folder of each finished phase that it needs, by phase name.
        device: a torch device name.
        workers: processes that decode images which do not fit into memory; 0 decodes in between steps.
        cache: folder for decoded images.
        progress: called with (steps done, steps in total, what is going on).
        checkpoint_seconds: least time between two checkpoints.
    """

    folder: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    device: str = "cpu"
    workers: int = 0
    cache: Path | None = None
    progress: Callable[[int, int, str], None] = lambda done, total, message: None
    checkpoint_seconds: float = 60.0

    def finished(self, phase: str) -> PhaseRecord:
        """The record of a phase that this needs. StoreError where it is gone."""
        record = read_phase(self.inputs[phase])
        if record is None:
            raise StoreError(f"{self.inputs[phase]} holds no finished phase any more; run the suite again to make it.")
        return record


@dataclass(frozen=True)
class PhaseResult:
    """What a phase gives besides its files.

    Args:
        facts: plain values that enter the phase's content hash.
        timings: seconds by name, which do not.
    """

    facts: JsonObject
    timings: Mapping[str, float]


class SystemRunner(ABC, Generic[O, S]):
    """Carries out the cells and phases of a system. Only ``run_cell`` must be given.

    Attributes:
        searches: whether ``run_search`` does something.
    """

    searches: ClassVar[bool] = False

    def check(self, cell: Cell[O, S]) -> None:
        """UsageError where a cell cannot be carried out, for example because no network fits its budget."""

    def work(self, cell: Cell[O, S]) -> list[Work]:
        """Estimated compute of a cell without its phases; the default is one network trained and tested."""
        return final_network(cell)

    def phase_work(self, phase: Phase, cell: Cell[O, S]) -> list[Work] | None:
        """Estimated compute of a phase; None where it is not known."""
        return None

    def run_phase(self, phase: Phase, cell: Cell[O, S], context: RunContext) -> PhaseResult:
        """Carry out a shared phase; its files are left in ``context.folder``."""
        raise LookupError(f"system {cell.system} does not carry out the phase {phase.name}")

    @abstractmethod
    def run_cell(self, cell: Cell[O, S], context: RunContext) -> CellResult:
        """Carry out a cell; its files are left in ``context.folder``."""

    def run_search(self, cell: Cell[O, S], context: RunContext) -> CellResult:
        """Only the search of a cell: its scores are left in the folder for ``run_cell``; ``architecture`` and
        ``search`` of the result are those of the cell.
        """
        raise LookupError(f"system {cell.system} does not search")


class System(Generic[O, S]):
    """A competitor as suites and plans see it.

    Attributes:
        name: as suites say it.
        summary: how its networks come about, in a clause for the readers of a report.
        options_type: a frozen pydantic model of what ``models:`` may say of it.
        space_type: the class of spaces that it works on.
        implementation: ``module:class`` of its ``SystemRunner``.
        platform: ``module:class`` of the ``training.platform.Platform`` that its workers run on.
        preload: modules that worker processes share; their import starts no thread and touches no device.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    options_type: type[O]
    space_type: type[S]
    implementation: ClassVar[str]
    platform: ClassVar[str] = "trionet_bench.networks.platform:NetworkPlatform"
    preload: ClassVar[tuple[str, ...]] = (
        *("torch", "torchvision", "torch.utils.serialization", "numpy.ma", "numpy.ctypeslib"),
        *("trionet_bench.data.sources.catalogue", "trionet_bench.data.sources.arrays"),
        "trionet_bench.data.sources.files",
    )

    @property
    def space_kind(self) -> str | None:
        """The kind of spaces that it works on; None for any."""
        return None if self.space_type is Space else self.space_type.kind

    def phases(self, cell: Cell[O, S]) -> tuple[Phase, ...]:
        """The shared phases that a cell needs, in order; the default is none."""
        return ()

    def check(self, cell: AnyCell) -> None:
        """UsageError where a cell cannot be carried out, because of its space or for a reason of the runner."""
        if not isinstance(cell.space, self.space_type):
            needed = f"system {self.name} needs a {self.space_kind} space, not {cell.space.name}"
            raise UsageError(f'model "{cell.model}": {needed}.')
        self.runner.check(cast(Cell[O, S], cell))

    @cached_property
    def runner(self) -> SystemRunner[O, S]:
        """What carries its cells out; its module is imported now."""
        implementation = resolve(self.implementation)
        if not (isinstance(implementation, type) and issubclass(implementation, SystemRunner)):
            raise TypeError(f"{self.implementation} of the system {self.name} is not a SystemRunner")
        return implementation()


AnySystem: TypeAlias = System[Any, Any]
