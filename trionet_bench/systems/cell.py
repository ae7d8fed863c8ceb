"""What a suite asks of a system: cells, the phases that several cells share, and where both are carried out.

A system is one module of this package. It defines

- ``Options``: a frozen pydantic model of what ``models:`` may say of it;
- ``phases(cell) -> tuple[Phase, ...]``: the shared phases that the cell hangs from, in order;
- ``run_phase(phase, cell, workplace) -> dict``: carries one out, leaves its files in ``workplace.folder``, returns
plain facts;
- ``run_cell(cell, workplace) -> dict``: carries the cell out, returns the fields of its record that only it can know.

None of these modules loads torch when imported, so that a finished suite is recognised at once.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.splits import Splits, make_splits
from trionet_bench.errors import StoreError
from trionet_bench.records.phase import PhaseRecord, read_phase
from trionet_bench.records.store import canonical, digest, digest_of_parts
from trionet_bench.spaces.choice import Space
from trionet_bench.training.recipe import Recipe


@dataclass(frozen=True)
class DataChoice:
    """A data set as a suite names it: its opened index, and how validation images are cut from train."""

    name: str
    index: Index
    search_val: float = 0.1
    val: float = 0.1
    resolution: int | None = None
    skip_broken: bool = False
    train_images: int | None = None

    def splits(self, seed: int) -> Splits:
        """Which image trains, guides the search, validates and tests in the cells of a seed."""
        return _splits(self, seed)

    def key_fields(self) -> dict[str, Any]:
        """What of the data enters a key: content and split, not name or place."""
        return {
            "fingerprint": self.index.fingerprint,
            "search_val": self.search_val,
            "val": self.val,
            "skip_broken": self.skip_broken,
            **({"train_images": self.train_images} if self.train_images is not None else {}),
        }


@lru_cache(maxsize=4)  # of a million images they take a second, and an estimate asks for them again and again
def _splits(data: DataChoice, seed: int) -> Splits:
    return make_splits(data.index, seed, data.search_val, data.val, data.train_images)


@cache
def space_fields(space: Space) -> dict[str, Any]:
    """What of a space enters a key: its dimensions, not its name."""
    return {name: value for name, value in space.to_dict().items() if name != "name"}


@cache
def _canonical_space(space: Space) -> str:
    return canonical(space_fields(space))


def option_fields(options: BaseModel, without: Collection[str] = ()) -> dict[str, Any]:
    """What of a system's options enters a key: all, but those in its ``LATER`` only where they are set.

    So an option that is added later, at a default that means what was done before, leaves the keys as they are.
    """
    later = getattr(options, "LATER", ())
    unset = {name for name in later if getattr(options, name) == type(options).model_fields[name].default}
    return options.model_dump(mode="json", exclude={*without, *unset})


@dataclass(frozen=True)
class Cell:
    """One (data set, model, budget, seed): run once, leaving one record. ``budget`` is in MACs."""

    suite: str
    data: DataChoice
    model: str
    system: str
    options: BaseModel
    space: Space
    recipe: Recipe
    resolution: int
    budget: int
    seed: int

    def key(self, inputs: Mapping[str, str]) -> str:
        """SHA-256 over all that the result depends on; ``inputs`` maps each shared phase to its content hash."""
        own = {
            "schema": 1,
            "system": self.system,
            "options": option_fields(self.options),
            "data": self.data.key_fields(),
            "resolution": self.resolution,
            "budget": self.budget,
            "seed": self.seed,
            "inputs": dict(inputs),
        }
        parts = {name: canonical(value) for name, value in own.items()}
        return digest_of_parts({**parts, "space": _canonical_space(self.space), "recipe": self.recipe.canonical})


@dataclass(frozen=True)
class Phase:
    """A step that several cells share, such as the training of one supernet.

    Args:
        spec: all that its outcome depends on.
        needs: names of the cell's phases that must be done before; None: all that come before it.
    """

    name: str
    spec: Mapping[str, Any]
    needs: tuple[str, ...] | None = None

    @cached_property
    def key(self) -> str:
        """SHA-256 of the specification."""
        return digest({"phase": self.name, **self.spec})


@dataclass(frozen=True)
class Workplace:
    """Where and with what a cell or phase is carried out.

    Args:
        folder: its own files; what is there from an interrupted run may be taken up again.
        inputs: folder of each finished phase that it hangs from, by phase name.
        device: a torch device name.
        workers: processes that decode images which do not fit into memory; 0 decodes in between steps.
        cache: folder for decoded images.
        progress: called with (done steps, all steps, what is going on).
    """

    folder: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    device: str = "cpu"
    workers: int = 0
    cache: Path | None = None
    progress: Callable[[int, int, str], None] = lambda done, total, message: None

    def finished(self, phase: str) -> PhaseRecord:
        """What a phase that this hangs from left. StoreError where it is gone."""
        record = read_phase(self.inputs[phase])
        if record is None:
            raise StoreError(f"{self.inputs[phase]} holds no finished phase any more; run the suite again to make it.")
        return record
