"""From a suite to its cells: which are done, which are open, and the phases that they need. No torch."""

import fnmatch
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from trionet_bench.data.index import Index
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DamagedFile, DataError, UsageError, nearest
from trionet_bench.execution.jobs import CellJob, CellName, PhaseJob
from trionet_bench.records.layout import cell_folder, format_budget, phase_folder
from trionet_bench.records.phase import damage, finished_content
from trionet_bench.records.record import RecordHead
from trionet_bench.records.store import read_head
from trionet_bench.suite.specification import Suite
from trionet_bench.systems.cell import AnyCell, Cell, DataChoice, SystemOptions
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.training.precision import resolved

_log = logging.getLogger(__name__)

State = Literal["complete", "failed", "missing", "stale"]
STATES: tuple[State, ...] = ("complete", "failed", "missing", "stale")


Selection = Callable[[CellName], bool]


@dataclass(frozen=True)
class PlannedCell:
    """A cell of the suite and its state.

    Args:
        job: None where its data set is missing.
        key: None as long as one of its phases is open.
        record: the head of what lies in its folder, whatever its state.
    """

    name: CellName
    folder: Path
    state: State
    job: CellJob | None
    key: str | None
    record: RecordHead | None

    @property
    def seconds(self) -> float | None:
        """How long it took when it was last run."""
        if self.record is None:
            return None
        return (
            datetime.fromisoformat(self.record.finished) - datetime.fromisoformat(self.record.started)
        ).total_seconds()


@dataclass(frozen=True)
class Plan:
    """The cells of a suite, or a selection of them, as they stand in a results folder.

    Args:
        results: the folder of all suites, absolute.
        phases: by key.
        absent: why a data set could not be opened, by its name.
        lacking: why what a model starts from could not be read, by the model's name.
        others: cells on opened data that were not selected but have a record: its key, None where it is stale.
    """

    suite: Suite
    results: Path
    cells: tuple[PlannedCell, ...]
    phases: Mapping[str, PhaseJob]
    absent: Mapping[str, DataError]
    lacking: Mapping[str, DataError] = field(default_factory=dict)
    others: Mapping[CellName, str | None] = field(default_factory=dict)

    @property
    def missing(self) -> list[DataError]:
        """Why some cells cannot be run."""
        return [*self.absent.values(), *self.lacking.values()]

    def check_data(self) -> None:
        """DataError, the first of ``missing``, where some cells cannot be run."""
        for error in self.missing:
            raise error

    @property
    def folder(self) -> Path:
        """Where all results of this suite are."""
        return self.results / self.suite.name

    def counts(self) -> dict[State, int]:
        """Number of cells in each state."""
        return {state: sum(cell.state == state for cell in self.cells) for state in STATES}


def make_plan(
    suite: Suite,
    results: Path,
    data_root: Path | None = None,
    select: Selection | None = None,
    reread: bool = False,
) -> Plan:
    """How the selected cells of ``suite`` stand in ``results``; ``absent`` of the plan says which data are missing.

    With ``reread`` all files of the data are read to identify them, also those that are untouched since the last time.
    """
    results = results.resolve()
    names = [name for name in cell_names(suite) if select is None or select(name)]
    data, absent = _open_data(suite, {name.dataset for name in names}, data_root, reread)
    phases: dict[str, PhaseJob] = {}
    lacking: dict[str, DataError] = {}
    cells = []
    for name in names:
        folder = cell_folder(results, suite.name, *name)
        record = _head(folder)
        if name.dataset not in data:
            state: State = record.status if record else "missing"
            cells.append(PlannedCell(name, folder, state, None, None, record))
            continue
        try:
            cells.append(_planned(suite, name, data[name.dataset], results, phases, record))
        except DataError as error:
            lacking.setdefault(name.model, error)
            cells.append(PlannedCell(name, folder, record.status if record else "missing", None, None, record))
    others = _keys_of_others(suite, results, data, set(names)) if select is not None else {}
    return Plan(suite, results, tuple(cells), phases, absent, lacking, others)


def _keys_of_others(
    suite: Suite, results: Path, data: Mapping[str, DataChoice], selected: set[CellName]
) -> dict[CellName, str | None]:
    """``others`` of a plan."""
    keys: dict[CellName, str | None] = {}
    phases: dict[str, PhaseJob] = {}
    for name in cell_names(suite):
        if name in selected or name.dataset not in data:
            continue
        record = _head(cell_folder(results, suite.name, *name))
        if record is None:
            continue
        with suppress(DataError):  # what it starts from is not here
            planned = _planned(suite, name, data[name.dataset], results, phases, record)
            keys[name] = None if planned.state == "stale" else record.key
    return keys


def _planned(
    suite: Suite,
    name: CellName,
    data: DataChoice,
    results: Path,
    phases: dict[str, PhaseJob],
    record: RecordHead | None,
) -> PlannedCell:
    """How one cell on opened data stands; its phases are added to ``phases``. DataError where what its model starts
    from cannot be read.
    """
    folder, cell = cell_folder(results, suite.name, *name), make_cell(suite, name, data)
    job = CellJob(cell, folder, SYSTEMS.get(cell.system).phases(cell))
    _enter_phases(phases, job, results)
    key, state = _standing(job, phases, record)
    return PlannedCell(name, folder, state, job, key, record)


def without_damaged_phases(plan: Plan, cells: Iterable[CellJob]) -> Plan:
    """The same plan, where phases that ``cells`` need are open when a file of theirs is not as it was written; so are
    the phases that need these. Every file of the others was read.
    """
    needed = {key for cell in cells for key in cell.needs}
    phases = dict(plan.phases)
    for key, phase in plan.phases.items():  # in the order in which they are carried out
        if key not in needed or phase.content is None:
            continue
        fault = damage(phase.folder)
        if fault is not None:
            _log.warning("%s: %s; it is made again", phase.folder, fault)
        if fault is not None or any(phases[before].content is None for before in phase.needs):
            phases[key] = replace(phase, content=None)
    return replace(plan, phases=phases)


def _head(folder: Path) -> RecordHead | None:
    """The record of a cell; None with a warning where it is damaged, since it will be made again."""
    try:
        return read_head(folder)
    except DamagedFile as error:
        _log.warning("%s The cell counts as missing.", error)
        return None


def _content(folder: Path, key: str, inputs: Mapping[str, str]) -> str | None:
    """``finished_content``; None with a warning where the phase's record is damaged."""
    try:
        return finished_content(folder, key, inputs)
    except DamagedFile as error:
        _log.warning("%s The phase counts as missing.", error)
        return None


def cell_names(suite: Suite) -> Iterator[CellName]:
    """All cells, seed by seed, so that the first results already compare all models."""
    for seed in suite.seeds:
        for dataset in suite.datasets:
            for budget in suite.budgets:
                for model in suite.models:
                    yield CellName(dataset, model, budget, seed)


def parse_only(text: str, suite: Suite) -> Selection:
    """The cells that ``KEY=GLOB[,KEY=GLOB]`` means: any of a key's patterns, none of those with ``!``.

    UsageError for an unknown key and for a pattern that no cell of the suite matches.
    """
    values = {
        "dataset": list(suite.datasets),
        "model": list(suite.models),
        "budget": [format_budget(budget) for budget in suite.budgets],
        "seed": [str(seed) for seed in suite.seeds],
    }
    wanted: dict[str, set[str]] = {}
    refused: dict[str, set[str]] = {}
    for clause in text.split(","):
        key, equals, pattern = (part.strip() for part in clause.partition("="))
        if not equals:
            raise UsageError(f'--only {text}: write KEY=GLOB, for example "model=conv"; "{clause}" has no "=".')
        if key not in values:
            raise UsageError(f'--only {text}: unknown key "{key}"; {nearest(key, list(values))}')
        matching = set(fnmatch.filter(values[key], pattern.removeprefix("!")))
        if not matching:
            raise UsageError(f'--only {text}: no {key} is like "{pattern}"; there are {", ".join(values[key])}.')
        (refused if pattern.startswith("!") else wanted).setdefault(key, set()).update(matching)

    def select(name: CellName) -> bool:
        value = {
            "dataset": name.dataset,
            "model": name.model,
            "budget": format_budget(name.budget),
            "seed": str(name.seed),
        }
        return all(value[key] in matching for key, matching in wanted.items()) and not any(
            value[key] in matching for key, matching in refused.items()
        )

    return select


def check_cells(cells: Iterable[CellJob]) -> None:
    """Let each system look at its cells before anything runs; UsageError where one cannot be carried out.

    Cells that differ only in their seed are checked once.
    """
    seen = set()
    for job in cells:
        if (what := job.name[:3]) not in seen:
            seen.add(what)
            SYSTEMS.get(job.cell.system).check(job.cell)


def _open_data(
    suite: Suite, names: set[str], data_root: Path | None, reread: bool
) -> tuple[dict[str, DataChoice], dict[str, DataError]]:
    data: dict[str, DataChoice] = {}
    absent: dict[str, DataError] = {}
    for name in sorted(names):
        entry = suite.datasets[name]
        try:
            index = open_source(entry.source, data_root, suite.bases[name], reread)
        except DataError as error:
            absent[name] = error
        except UsageError as error:
            raise suite.document.error(("datasets", name, "source"), str(error)) from None
        else:
            data[name] = as_chosen(suite, name, index)
    return data, absent


def as_chosen(suite: Suite, name: str, index: Index) -> DataChoice:
    """An opened data set as the suite wants it used."""
    entry = suite.datasets[name]
    return DataChoice(
        name,
        index,
        entry.search_val,
        entry.val,
        entry.resolution,
        entry.skip_broken,
        entry.train_images,
        suite.tasks[name],
    )


def make_cell(suite: Suite, name: CellName, data: DataChoice) -> AnyCell:
    """The cell of that name on opened data."""
    model = suite.models[name.model].on(data.name)
    resolution, options = model.resolution(data.resolution), model.options
    return Cell(
        suite=suite.name,
        data=data,
        model=name.model,
        system=model.system,
        options=options.among(suite.budgets) if isinstance(options, SystemOptions) else options,
        space=model.space_at(resolution),
        recipe=resolved(model.recipe),
        resolution=resolution,
        budget=name.budget,
        seed=name.seed,
        budgets=tuple(suite.budgets),
    )


def _enter_phases(known: dict[str, PhaseJob], job: CellJob, results: Path) -> None:
    """Add the phases that are not yet known, with their content where they and all phases before them are finished."""
    before: dict[str, str] = {}  # name of a phase -> its key
    for phase in job.phases:
        if phase.key not in known:
            folder = phase_folder(results, job.cell.suite, phase.name, phase.key)
            needs = tuple(key for name, key in before.items() if phase.needs is None or name in phase.needs)
            contents = {known[key].phase.name: known[key].content for key in needs}
            finished = {name: content for name, content in contents.items() if content is not None}
            content = _content(folder, phase.key, finished) if len(finished) == len(contents) else None
            known[phase.key] = PhaseJob(job.cell, folder, phase, needs, content)
        before[phase.name] = phase.key


def _standing(job: CellJob, known: Mapping[str, PhaseJob], record: RecordHead | None) -> tuple[str | None, State]:
    """The cell's key, None as long as it cannot be computed, and its state."""
    contents = {phase.name: known[phase.key].content for phase in job.phases}
    finished = {name: content for name, content in contents.items() if content is not None}
    key = job.cell.key(finished) if len(finished) == len(contents) else None
    if record is None:
        return key, "missing"
    if key is None and {name: item.key for name, item in record.inputs.items()} == {p.name: p.key for p in job.phases}:
        # The phases' files are gone, but the record says what came out of them.
        key = job.cell.key({name: item.content for name, item in record.inputs.items()})
    if record.key != (key or job.stand_in_key):
        return key, "stale"
    return key, record.status
