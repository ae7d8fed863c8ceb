"""What a shared phase leaves: ``phase.json`` beside its files, with a content hash that enters its cells' keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from trionet_bench.records.layout import CHECKPOINT_SUFFIX, LOG, PHASE, is_record
from trionet_bench.records.record import Code, Environment, Versioned
from trionet_bench.records.store import digest, file_digest, read_stored, write_json

PHASE_SCHEMA = 1

# Weights and values are results. Logs and histories hold times, checkpoints hold what an interrupted run needs.
_RESULTS = (".safetensors", ".json", ".npz")
_TEMPORARY = (CHECKPOINT_SUFFIX, ".tmp")


class PhaseHead(Versioned):
    """What a plan reads of a finished phase. ``content`` is a hash over facts and files; ``inputs`` has that of the
    phases before it.
    """

    schema_: int = Field(default=PHASE_SCHEMA, alias="schema")
    key: str
    content: str
    inputs: dict[str, str]


class PhaseRecord(PhaseHead):
    """A finished phase."""

    model_config = ConfigDict(extra="forbid")

    name: str
    spec: dict[str, Any]
    facts: dict[str, Any]
    files: dict[str, str]
    timings: dict[str, float]
    peak_memory_bytes: int | None = None
    warnings: list[str]
    environment: Environment
    code: Code
    determinism: dict[str, Any]
    command: str
    started: str
    finished: str


def content_of(facts: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """The content hash: what came out, whenever and however fast."""
    return digest({"facts": facts, "files": files})


def result_files(folder: Path) -> dict[str, str]:
    """Name and SHA-256 of the files that make up a phase's result."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in _RESULTS and not _is_hidden(path))
    return {path.name: file_digest(path) for path in paths if path.name != PHASE}


def artifacts(folder: Path) -> dict[str, str]:
    """Name and SHA-256 of the files that a cell leaves beside its record, apart from its log."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not _is_hidden(path))
    lasting = [path for path in paths if path.suffix not in _TEMPORARY and path.name != LOG]
    return {path.name: file_digest(path) for path in lasting if not is_record(path)}


def read_phase(folder: Path) -> PhaseRecord | None:
    """The finished phase in ``folder``, None where there is none; StoreError for one that is torn or too new."""
    return read_stored(folder / PHASE, PhaseRecord, "phase")


def finished_content(folder: Path, key: str, inputs: Mapping[str, str]) -> str | None:
    """The content of a phase that is finished under this key and on these inputs; None where it is still to be done."""
    record = read_stored(folder / PHASE, PhaseHead, "phase")
    return record.content if record and (record.key, record.inputs) == (key, dict(inputs)) else None


def write_phase(folder: Path, phase: PhaseRecord) -> None:
    """Write ``phase.json``, the last file of a phase: it is finished when this is there."""
    write_json(folder / PHASE, phase.model_dump(by_alias=True))


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")
