"""What a suite asks of a system: cells, and the phases that several cells share. No torch."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from pydantic import BaseModel

from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.splits import Splits
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.store import canonical, digest, digest_of_parts
from trionet_bench.records.values import Strict
from trionet_bench.spaces.choice import Space
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.registry import DEFAULT
from trionet_bench.training.recipe import Recipe

# Raised when the code computes something else of the same values: the keys of earlier results then differ.
# 2: sharing by head, half and dimension; windows that end at the map, and are counted so.
COMPUTATION = 2

O_co = TypeVar("O_co", bound=BaseModel, covariant=True)
S_co = TypeVar("S_co", bound=Space, covariant=True)


class SystemOptions(Strict):
    """Base of what a suite may say of a system.

    Attributes:
        added_later: options that keys name only where they differ from their default. An option that is added at a
            default that means what was done before then leaves all keys as they are.
        known_by_content: paths that keys do not name, since a phase has the content of what they lead to.
    """

    added_later: ClassVar[tuple[str, ...]] = ()
    known_by_content: ClassVar[tuple[str, ...]] = ()

    def among(self, budgets: tuple[int, ...]) -> Self:
        """The options in a suite of these budgets: a result that depends on all of them must have them in its key."""
        return self


@dataclass(frozen=True)
class DataChoice:
    """A data set as a suite names it: its opened index, its task, and how validation images are cut from train."""

    name: str
    index: Index
    search_val: float = 0.1
    val: float = 0.1
    resolution: int | None = None
    skip_broken: bool = False
    train_images: int | None = None
    task: Task = field(default=DEFAULT)

    def splits(self, seed: int) -> Splits:
        """Which image trains, guides the search, validates and tests in the cells of a seed."""
        return _splits(self, seed)

    def key_fields(self) -> JsonObject:
        """What of the data enters a key: content, split and task (unless it is the default one), not name or place."""
        return data_key_fields(
            self.index.fingerprint, self.search_val, self.val, self.skip_broken, self.train_images, self.task
        )


def data_key_fields(
    fingerprint: str, search_val: float, val: float, skip_broken: bool, train_images: int | None, task: Task
) -> JsonObject:
    """What of a data set enters a key."""
    return {
        "fingerprint": fingerprint,
        "search_val": search_val,
        "val": val,
        "skip_broken": skip_broken,
        **({"train_images": train_images} if train_images is not None else {}),
        **({"task": task.key_fields()} if task != DEFAULT else {}),
    }


@lru_cache(maxsize=4)  # of a million images they take a second, and an estimate asks for them again and again
def _splits(data: DataChoice, seed: int) -> Splits:
    return data.task.splits(data.index, seed, data.search_val, data.val, data.train_images)


@cache
def space_fields(space: Space) -> JsonObject:
    """What of a space enters a key: its dimensions, not its name."""
    return {name: value for name, value in space.to_dict().items() if name != "name"}


@cache
def _canonical_space(space: Space) -> str:
    return canonical(space_fields(space))


def option_fields(options: BaseModel, without: Collection[str] = ()) -> JsonObject:
    """What of a system's options enters a key: all, but those ``added_later`` only where they are set,
    and those ``known_by_content`` not at all.
    """
    later = options.added_later if isinstance(options, SystemOptions) else ()
    paths = options.known_by_content if isinstance(options, SystemOptions) else ()
    values = options.model_dump(mode="json", exclude={*without, *paths})
    given = dict(options)  # as the model holds them: in JSON a tuple is a list
    unset = {name for name in later if given.get(name) == type(options).model_fields[name].default}
    return {name: value for name, value in values.items() if name not in unset}


def cell_key(
    *,
    system: str,
    options: BaseModel,
    data: JsonObject,
    canonical_space: str,
    recipe: Recipe,
    resolution: int | None,
    budget: int,
    seed: int,
    inputs: Mapping[str, str],
    computation: int = COMPUTATION,
) -> str:
    """SHA-256 over all that a cell's result depends on.

    Args:
        data: ``data_key_fields``.
        canonical_space: canonical JSON of ``space_fields``.
        inputs: content hash of each shared phase that the cell needs, by the phase's name.
        computation: that of the record, where the key is made again.
    """
    values = {
        **({"schema": 1} if computation == 1 else {"computation": computation}),
        "system": system,
        "options": option_fields(options),
        "data": data,
        "resolution": resolution,
        "budget": budget,
        "seed": seed,
        "inputs": dict(inputs),
    }
    parts = {name: canonical(value) for name, value in values.items()}
    return digest_of_parts({**parts, "space": canonical_space, "recipe": recipe.canonical})


@dataclass(frozen=True)
class Cell(Generic[O_co, S_co]):
    """One (data set, model, budget, seed): run once, leaving one record.

    ``budget`` is in MACs, and ``budgets`` are all of the suite, which one supernet serves; () stands for this one.
    """

    suite: str
    data: DataChoice
    model: str
    system: str
    options: O_co
    space: S_co
    recipe: Recipe
    resolution: int
    budget: int
    seed: int
    budgets: tuple[int, ...] = ()

    @property
    def served(self) -> tuple[int, int]:
        """The smallest and the largest budget that a supernet of this cell serves, in MACs."""
        budgets = self.budgets or (self.budget,)
        return min(budgets), max(budgets)

    def key(self, inputs: Mapping[str, str]) -> str:
        """``cell_key`` of its values; ``inputs`` maps each shared phase to its content hash."""
        return cell_key(
            system=self.system,
            options=self.options,
            data=self.data.key_fields(),
            canonical_space=_canonical_space(self.space),
            recipe=self.recipe,
            resolution=self.resolution,
            budget=self.budget,
            seed=self.seed,
            inputs=inputs,
        )


AnyCell: TypeAlias = Cell[BaseModel, Space]


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
