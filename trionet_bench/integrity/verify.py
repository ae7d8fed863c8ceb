"""Is a results folder what it says? Recomputes keys, hashes, counts and accuracies from the files themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trionet_bench.data.index import Index
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import BenchError
from trionet_bench.integrity.cells import faults_of_cell, files_here, messages, task_of
from trionet_bench.records.layout import PHASE, PHASES, RECORD
from trionet_bench.records.phase import content_of, file_faults, read_phase
from trionet_bench.records.record import Record
from trionet_bench.records.store import read_record, record_folders
from trionet_bench.systems.cell import Phase


@dataclass(frozen=True)
class Fault:
    """Something that is not as it should be; ``path`` is relative to the folder that was verified."""

    path: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """What was looked at and what is wrong with it; ``without_weights`` counts records that were passed on so."""

    records: int
    phases: int
    files: int
    without_weights: int
    faults: tuple[Fault, ...]


def verify(results: Path, data_root: Path | None = None, data: bool = False) -> Verdict:
    """Verify every record and every shared phase under ``results``.

    Args:
        data_root: folder of the named data sets.
        data: also read the data sets of the records anew, and compare them and their splits with what the records were
            made of.
    """
    faults: list[Fault] = []
    known: dict[str, Index | str] = {}
    counts = {"records": 0, "phases": 0, "files": 0, "without_weights": 0}
    for folder in record_folders(results):
        counts["records"] += 1
        path = str(folder.relative_to(results) / RECORD)
        faults += [
            Fault(path, message) for message in messages(_faults_of_record(folder, counts, data_root, known, data))
        ]
    for place in sorted(results.rglob(f"{PHASES}/*/{PHASE}")):
        counts["phases"] += 1
        faults += [Fault(str(place.relative_to(results)), message) for message in messages(_phase_faults(place.parent))]
    return Verdict(**counts, faults=tuple(faults))


def _faults_of_record(
    folder: Path, counts: dict[str, int], data_root: Path | None, known: dict[str, Index | str], data: bool
) -> Iterator[str]:
    record = read_record(folder)
    assert record is not None  # the walk found it
    files = files_here(folder, record)
    counts["files"] += len(files)
    counts["without_weights"] += len(files) < len(record.artifacts)
    yield from faults_of_cell(folder, record, files)
    if data and (fault := _data_fault(record, data_root, known)) is not None:
        yield fault


def _data_fault(record: Record, data_root: Path | None, known: dict[str, Index | str]) -> str | None:
    """How the data set of a record, or its split, differs from what it was; ``known`` keeps a set for other records."""
    source, fingerprint = str(record.data["source"]), record.data["fingerprint"]
    key = f"{source} {fingerprint}"
    if key not in known:
        try:
            index = open_source(source, data_root, reread=True, identity=record.data.get("identity"))
        except BenchError as error:
            known[key] = f"its data cannot be read: {error} A relative path starts from the working directory."
        else:
            changed = f"its data, {source}, are not those that it was made of{_decoders(record, index)}"
            known[key] = index if index.fingerprint == fingerprint else changed
    found = known[key]
    return found if isinstance(found, str) else _split_fault(record, found)


def _split_fault(record: Record, index: Index) -> str | None:
    """Whether other images than those of its split were named; a failed cell names none."""
    data = record.data
    if record.status == "failed":
        return None
    shares = data["search_val"], data["val"], data.get("train_images")
    again = task_of(record).splits(index, record.seed, *shares).hash
    return None if data.get("split") == again else "its split is not the one that its seed draws from its data"


def _decoders(record: Record, index: Index) -> str:
    before, now = record.data.get("decoders"), list(index.decoders)
    return f"; decoders were {', '.join(before)}, now they are {', '.join(now)}" if before and before != now else ""


def _phase_faults(folder: Path) -> Iterator[str]:
    phase = read_phase(folder)
    assert phase is not None  # the search found it
    if phase.key != Phase(phase.name, phase.spec).key:
        yield "its key does not follow from its specification"
    if phase.content != content_of(phase.facts, phase.files):
        yield "its content hash does not follow from its facts and files"
    yield from file_faults(folder, phase.files)
