"""What a shared phase leaves: ``phase.json`` beside its files, with a content hash that enters its cells' keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from trionet_bench.errors import StoreError
from trionet_bench.records.layout import PHASE
from trionet_bench.records.record import Code, Environment, Strict
from trionet_bench.records.store import digest, file_digest, read_json, write_json

PHASE_SCHEMA = 1

# Weights and values are results. Logs and histories hold times, checkpoints hold what an interrupted run needs.
_RESULTS = (".safetensors", ".json", ".npz")
_PASSING = (".checkpoint", ".tmp")


class PhaseRecord(Strict):
    """A finished phase. ``content`` is a hash over facts and files; ``inputs`` has that of the phases before it."""

    schema_: int = Field(default=PHASE_SCHEMA, alias="schema")
    name: str
    key: str
    content: str
    inputs: dict[str, str]
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

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


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
    own = [path for path in paths if path.suffix not in _PASSING and path.name != "log.txt"]
    return {path.name: file_digest(path) for path in own if not is_record(path)}


def is_record(path: Path) -> bool:
    """Whether a file is a record or an earlier attempt's."""
    return path.name.startswith("record.") and path.suffix == ".json"


def read_phase(folder: Path) -> PhaseRecord | None:
    """The finished phase in ``folder``, None where there is none."""
    path = folder / PHASE
    value = read_json(path)
    if value is None:
        return None
    if isinstance(value, dict) and isinstance(value.get("schema"), int) and value["schema"] > PHASE_SCHEMA:
        raise StoreError(
            f"{path} has schema {value['schema']}, this program reads up to {PHASE_SCHEMA}; install a newer one."
        )
    try:
        return PhaseRecord.model_validate(value)
    except ValidationError as error:
        raise StoreError(f"{path} is not a finished phase; move its folder away to have it made again.") from error


def finished_content(folder: Path, key: str, inputs: Mapping[str, str]) -> str | None:
    """The content of a phase that is finished under this key and on these inputs; None where it is still to be done."""
    record = read_phase(folder)
    return record.content if record and (record.key, record.inputs) == (key, dict(inputs)) else None


def write_phase(folder: Path, phase: PhaseRecord) -> None:
    """Write ``phase.json``, the last file of a phase: it is finished when this is there."""
    write_json(folder / PHASE, phase.model_dump(by_alias=True))


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")
