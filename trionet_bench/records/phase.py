"""The record of a shared phase, ``phase.json``: its content hash enters the keys of the cells that use it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from trionet_bench.errors import StoreError
from trionet_bench.files import DAMAGED
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.layout import CHECKPOINT_SUFFIX, LOG, PHASE, is_file_name, is_record
from trionet_bench.records.record import Code, Environment
from trionet_bench.records.store import digest, file_digest, read_stored, write_json
from trionet_bench.records.values import Versioned

PHASE_SCHEMA = 1

# Files that make up the result. Logs and histories hold times; checkpoints are for interrupted runs only.
_RESULTS = (".safetensors", ".json", ".npz")
_TEMPORARY = (CHECKPOINT_SUFFIX, ".tmp", DAMAGED)


class PhaseHead(Versioned):
    """The fields of a finished phase that a plan needs.

    Args:
        key: hash of the specification.
        content: hash of the result, its facts and files.
        inputs: ``content`` of each upstream phase by its name.
    """

    schema_: int = Field(default=PHASE_SCHEMA, alias="schema")
    key: str
    content: str
    inputs: dict[str, str]


class PhaseRecord(PhaseHead):
    """A finished phase: what was asked, what came out, and how it was made."""

    model_config = ConfigDict(extra="forbid")

    name: str
    spec: JsonObject
    facts: JsonObject
    files: dict[str, str]
    timings: dict[str, float]
    peak_memory_bytes: int | None = None
    warnings: list[str]
    environment: Environment
    code: Code
    determinism: JsonObject
    command: str
    started: str
    finished: str


def content_of(facts: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """The content hash of a result: its facts, and the SHA-256 of each file. Times and machines do not enter."""
    return digest({"facts": facts, "files": files})


def result_files(folder: Path) -> dict[str, str]:
    """Name and SHA-256 of the files in a phase's folder that make up its result."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in _RESULTS and not _is_hidden(path))
    return {path.name: file_digest(path) for path in paths if path.name != PHASE}


def artifacts(folder: Path) -> dict[str, str]:
    """Name and SHA-256 of the files beside a cell's record, without its log, checkpoints and earlier records."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not _is_hidden(path))
    lasting = [path for path in paths if path.suffix not in _TEMPORARY and path.name != LOG]
    return {path.name: file_digest(path) for path in lasting if not is_record(path)}


def read_phase(folder: Path) -> PhaseRecord | None:
    """The finished phase in ``folder``, None where there is none; StoreError where it is torn or of a later schema."""
    return read_stored(folder / PHASE, PhaseRecord, "phase")


def finished_content(folder: Path, key: str, inputs: Mapping[str, str]) -> str | None:
    """The content hash of a phase that is finished with this key and these inputs, else None."""
    record = read_stored(folder / PHASE, PhaseHead, "phase")
    return record.content if record and (record.key, record.inputs) == (key, dict(inputs)) else None


def damage(folder: Path) -> str | None:
    """What is wrong with a finished phase, all of whose files are read; None where nothing is."""
    try:
        phase = read_phase(folder)
        if phase is None:
            return f"{PHASE} is gone"
        return next(file_faults(folder, phase.files), None)
    except StoreError as error:
        return str(error)


def file_faults(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    """Which of these files, names and SHA-256, are not in a folder as they were written."""
    for name, expected in files.items():
        if not is_file_name(name):
            yield f"{name!r} is not the name of a file in its folder"
        elif not (folder / name).is_file():
            yield f"{name} is missing"
        elif file_digest(folder / name) != expected:
            yield f"{name} is not the file that was written"


def write_phase(folder: Path, phase: PhaseRecord) -> None:
    """Write ``phase.json``, the last file of a phase: it is finished when this is there."""
    write_json(folder / PHASE, phase.model_dump(by_alias=True))


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")
