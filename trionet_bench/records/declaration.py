"""What a suite declares beside its results, ``suite.json``: the cells it expects and the comparisons it will make."""

from pathlib import Path

from pydantic import Field

from trionet_bench.records.layout import DECLARED
from trionet_bench.records.store import read_stored
from trionet_bench.records.values import Strict, Versioned


class ExpectedCell(Strict):
    """A cell that the suite asks for; ``key`` where its data were there."""

    dataset: str
    model: str
    budget: int
    seed: int
    key: str | None = None


class DeclaredComparison(Strict):
    """Candidates against a baseline; see ``suite.specification.Comparison``."""

    metric: str | None = None
    baseline: str
    candidates: list[str]
    margin: float | None = None


class DeclaredLooks(Strict):
    """Where a study stands whose seeds are added as needed."""

    planned: list[int]
    seeds: int = Field(default=0, description="Those of the present look.")
    taken: int = Field(default=1, description="Number of the present look.")
    level: float = Field(description="At which it decides.")


class Declaration(Versioned):
    """Of one suite."""

    schema_: int = Field(default=1, alias="schema")
    name: str
    title: str | None = None
    comparisons: tuple[DeclaredComparison, ...] = ()
    looks: DeclaredLooks | None = None
    expected: tuple[ExpectedCell, ...] = ()


def read_declaration(folder: Path) -> Declaration | None:
    """What lies in a suite's folder, None where nothing does.

    DamagedFile where it is torn or something else, StoreError where it cannot be read or is of a later schema.
    """
    return read_stored(folder / DECLARED, Declaration, "declaration of a suite")
