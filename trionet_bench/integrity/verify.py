"""Is a results folder what it says? Recomputes keys, hashes, counts and accuracies from the files themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trionet_bench.data.index import Index
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import BenchError
from trionet_bench.records.layout import PHASE, PHASES, PREDICTIONS, RECORD, cell_folder
from trionet_bench.records.phase import content_of, file_faults, read_phase
from trionet_bench.records.record import Record
from trionet_bench.records.store import canonical, read_record, record_folders
from trionet_bench.systems.cell import Phase, cell_key, data_key_fields
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.registry import resolve_task
from trionet_bench.training.recipe import Recipe

_ROUNDING = 1e-9  # accuracies are quotients of integers, stored in full


@dataclass(frozen=True)
class Fault:
    """Something that is not as it should be; ``path`` is relative to the folder that was verified."""

    path: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """What was looked at and what is wrong with it."""

    records: int
    phases: int
    files: int
    faults: tuple[Fault, ...]


def verify(results: Path, data_root: Path | None = None, data: bool = False) -> Verdict:
    """Verify every record and every shared phase under ``results``.

    Args:
        data_root: folder of the named data sets.
        data: also read the data sets of the records anew, and compare them with what the records were made of.
    """
    faults: list[Fault] = []
    known: dict[str, str | None] = {}
    counts = {"records": 0, "phases": 0, "files": 0}
    for folder in record_folders(results):
        counts["records"] += 1
        try:
            record = read_record(folder)
            assert record is not None  # the walk found it
            counts["files"] += len(record.artifacts)
            messages = list(_record_faults(folder, record))
            if data and (fault := _data_fault(record, data_root, known)) is not None:
                messages.append(fault)
        except BenchError as error:
            messages = [str(error)]
        faults += [Fault(str(folder.relative_to(results) / RECORD), message) for message in messages]
    for path in sorted(results.rglob(f"{PHASES}/*/{PHASE}")):
        counts["phases"] += 1
        try:
            messages = list(_phase_faults(path.parent))
        except BenchError as error:
            messages = [str(error)]
        faults += [Fault(str(path.relative_to(results)), message) for message in messages]
    return Verdict(**counts, faults=tuple(faults))


def _record_faults(folder: Path, record: Record) -> Iterator[str]:
    suite_folder = folder.parents[2]
    place = cell_folder(
        suite_folder.parent, suite_folder.name, record.dataset, record.model, record.budget, record.seed
    )
    if place != folder:
        yield f"it is the record of {place.relative_to(suite_folder)}"
    if record.status == "failed":
        if record.error is None:
            yield "it failed without an error"
        return
    if record.key != recomputed_key(record):
        yield "its key does not follow from its contents"
    yield from file_faults(folder, record.artifacts)
    yield from _number_faults(record)
    if PREDICTIONS in record.artifacts and (folder / PREDICTIONS).is_file():
        yield from _prediction_faults(folder / PREDICTIONS, record)
    for name, item in record.inputs.items():
        phase = read_phase(suite_folder / item.path)
        if phase is not None and (phase.key, phase.content) != (item.key, item.content):
            yield f"its phase {name} has been made anew since"


def recomputed_key(record: Record) -> str:
    """The key that a cell with the values of ``record`` has, by the rule that made it."""
    data = record.data
    return cell_key(
        system=record.system,
        options=SYSTEMS.get(record.system).options_type.model_validate(record.options),
        data=data_key_fields(
            data["fingerprint"],
            data["search_val"],
            data["val"],
            data["skip_broken"],
            data.get("train_images"),
            _task(record),
        ),
        canonical_space=canonical({name: value for name, value in record.space.items() if name != "name"}),
        recipe=Recipe.model_validate(record.recipe),
        resolution=record.resolution,
        budget=record.budget,
        seed=record.seed,
        inputs={name: item.content for name, item in record.inputs.items()},
        computation=record.computation,
    )


def _task(record: Record) -> Task:
    return resolve_task({"name": record.task.name, **record.task.options})


def _data_fault(record: Record, data_root: Path | None, known: dict[str, str | None]) -> str | None:
    """How the data set of a record differs from what it was; ``known`` keeps the answer for other records of it."""
    source, fingerprint = str(record.data["source"]), record.data["fingerprint"]
    key = f"{source} {fingerprint}"
    if key not in known:
        known[key] = None
        try:
            index = open_source(source, data_root, reread=True, identity=record.data.get("identity"))
        except BenchError as error:
            known[key] = f"its data cannot be read: {error} A relative path starts from the working directory."
        else:
            if index.fingerprint != fingerprint:
                known[key] = f"its data, {source}, are not those that it was made of{_decoders(record, index)}"
    return known[key]


def _decoders(record: Record, index: Index) -> str:
    before, now = record.data.get("decoders"), list(index.decoders)
    return f"; decoders were {', '.join(before)}, now they are {', '.join(now)}" if before and before != now else ""


def _number_faults(record: Record) -> Iterator[str]:
    counts = record.counts
    if counts is None:
        yield "it has no counts"
    elif counts.evaluated != (0 if record.ranked else counts.test):
        yield f"{counts.evaluated} of {counts.test} test images were evaluated"
    if record.ranked:
        most = max(entry.macs for entry in record.ranked)
        if most > record.budget:
            yield f"one of its architectures has {most} MACs, above the budget of {record.budget}"
    elif record.macs is None:
        yield "it has no MACs"
    elif record.macs > record.budget:
        yield f"{record.macs} MACs exceed the budget of {record.budget}"
    for name, parts in (("macs_by_operator", record.macs_by_operator), ("macs_by_stage", record.macs_by_stage)):
        if parts and sum(parts.values()) != record.macs:
            yield f"{name} adds up to {sum(parts.values())}, not to {record.macs} MACs"
    for name, value in record.metrics.items():
        metric = record.task.metric_of(name)
        if metric is not None and metric.unit == "fraction" and not 0 <= value <= 1:
            yield f"{name} is {value}, not between 0 and 1"


def _prediction_faults(path: Path, record: Record) -> Iterator[str]:
    try:
        with np.load(path) as stored:
            columns = {name: stored[name] for name in stored.files}
            measured = _task(record).measure(columns)
    except (OSError, ValueError, KeyError) as error:
        yield f"{PREDICTIONS} cannot be read: {error}"
        return
    lengths = {len(column) for column in columns.values()}
    if record.counts is not None and lengths != {record.counts.evaluated}:
        yield f"{PREDICTIONS} has {max(lengths, default=0)} images, not {record.counts.evaluated}"
    for name, value in _task(record).on_part("test", measured).items():
        stated = record.metrics.get(name)
        if stated is None or not abs(stated - value) <= _ROUNDING:
            yield f"{name} is {stated}, but by {PREDICTIONS} {value}"


def _phase_faults(folder: Path) -> Iterator[str]:
    phase = read_phase(folder)
    assert phase is not None  # the search found it
    if phase.key != Phase(phase.name, phase.spec).key:
        yield "its key does not follow from its specification"
    if phase.content != content_of(phase.facts, phase.files):
        yield "its content hash does not follow from its facts and files"
    yield from file_faults(folder, phase.files)
