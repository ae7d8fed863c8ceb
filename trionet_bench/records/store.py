"""Result files: canonical JSON and its hashes; records, written atomically and never overwritten."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from trionet_bench.errors import BenchError, DamagedFile, StoreError, UsageError, nearest
from trionet_bench.files import set_aside, write_atomically
from trionet_bench.records.layout import ARCHITECTURE, PHASES, RECORD, earlier_record
from trionet_bench.records.record import Record, RecordHead
from trionet_bench.records.values import Versioned

Stored = TypeVar("Stored", bound=Versioned)

_CANONICAL = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_SEAL = re.compile(rb',\n "digest": "([0-9a-f]{64})"\n}\n\Z')
_READABLE = json.JSONEncoder(allow_nan=False, ensure_ascii=False, indent=1)


def canonical(value: object) -> str:
    """Canonical JSON: keys sorted, no spaces, tuples as lists; BenchError for NaN and non-JSON types."""
    return _encoded(value, _CANONICAL)


def digest(value: object) -> str:
    """SHA-256 of canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def digest_of_parts(parts: Mapping[str, str]) -> str:
    """``digest`` of a mapping whose values are canonical JSON already."""
    items = ",".join(f"{canonical(name)}:{parts[name]}" for name in sorted(parts))
    return hashlib.sha256(f"{{{items}}}".encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; StoreError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as indented JSON, atomically; StoreError where it is no JSON value or the disk refuses."""
    write_atomically(path, _encoded(value, _READABLE) + "\n")


def read_json(path: Path) -> Any:
    """The JSON value in a file, None where there is no file.

    StoreError where it cannot be read, DamagedFile where it is no JSON.
    """
    content = _content(path)
    try:
        return None if content is None else json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"{path} is not valid JSON ({error}).") from error


def write_record(folder: Path, record: Record, force: bool = False) -> None:
    """Write ``record.json`` into a cell's folder; the one that was there is kept beside it under its time.

    StoreError where that one is complete, unless ``force``.
    """
    path = folder / RECORD
    if path.exists():
        if not force and _is_complete(path.read_bytes()):
            raise StoreError(f"{path} is already complete; run with --force to add an attempt.")
        write_atomically(_earlier(path), path.read_bytes())
    write_atomically(path, _sealed(_encoded(record.model_dump(by_alias=True, exclude={"digest"}), _READABLE)))


def is_as_written(folder: Path) -> bool:
    """Whether the record of a cell is, to the byte, what was written; True for one of before records had a digest."""
    content = _content(folder / RECORD) or b""
    seal = _SEAL.search(content)
    if seal is None:
        return b'"digest":' not in content
    return hashlib.sha256(content[: seal.start()]).hexdigest().encode() == seal[1]


def _sealed(text: str) -> str:
    """An encoded record with its digest as the last entry."""
    body = text.removesuffix("\n}")
    return f'{body},\n "digest": "{hashlib.sha256(body.encode()).hexdigest()}"\n}}\n'


def retire_record(folder: Path) -> None:
    """Rename ``record.json``, if any, to an earlier attempt, so that the cell counts as not done.

    One that is damaged is set aside.
    """
    path = folder / RECORD
    try:
        read_head(folder)
    except DamagedFile:
        set_aside(path)
        return
    try:
        path.rename(_earlier(path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{path} could not be renamed: {error.strerror}.") from error


def read_record(folder: Path) -> Record | None:
    """The record in a cell's folder, None where there is none; errors as of ``read_stored``."""
    return read_stored(folder / RECORD, Record, "record")


def read_head(folder: Path) -> RecordHead | None:
    """The fields of a record that a plan needs, the others unread and unchecked; otherwise as ``read_record``."""
    return read_stored(folder / RECORD, RecordHead, "record")


def read_stored(path: Path, kind: type[Stored], noun: str) -> Stored | None:
    """A value that ``write_json`` wrote, read as ``kind``; None where there is no file.

    The error calls it a ``noun``: DamagedFile where it is torn or something else, StoreError where it cannot be read or
    is of a later schema.
    """
    content = _content(path)
    if content is None:
        return None
    known: int = kind.model_fields["schema_"].default
    try:
        value = kind.model_validate_json(content)
    except ValidationError as error:
        raise _refusal(path, content, error, noun, known) from error
    if value.schema_ > known:
        raise _newer(path, value.schema_, noun, known)
    return value


def iter_records(results: Path) -> Iterator[Record]:
    """All records under a folder at any level of a results folder, in the order of their paths."""
    for folder in record_folders(results):
        record = read_record(folder)
        if record is not None:
            yield record


def record_folders(results: Path) -> Iterator[Path]:
    """The folders under ``results`` that hold a record, without shared phases and hidden folders."""
    try:
        with os.scandir(results) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    if any(entry.name == RECORD for entry in entries):
        yield Path(results)
        return
    for entry in entries:
        if entry.is_dir() and entry.name != PHASES and not entry.name.startswith("."):
            yield from record_folders(Path(entry.path))


def find_cell(name: str, results: Path) -> Path:
    """The folder of the cell that ``name`` means; UsageError with the nearest cell where there is none.

    Args:
        name: path of the folder or of a file in it, or ``SUITE:DATASET/MODEL/BUDGET-sSEED`` below ``results``.
    """
    for place in (Path(name), results / name.replace(":", "/", 1)):
        folder = place.parent if place.is_file() else place
        if (folder / RECORD).is_file():
            return folder
    known = [folder.relative_to(results).as_posix().replace("/", ":", 1) for folder in record_folders(results)]
    hint = nearest(name, known) if known else "run a suite first."
    raise UsageError(f"no cell {name}, here or in {results}; {hint}")


def network_file(name: str, results: Path) -> str:
    """What tells of a network: the architecture file in a folder or of a cell in ``results``, else ``name`` as it is.

    UsageError for ``SUITE:...`` that is no cell.
    """
    if Path(name).is_dir():
        return str(Path(name) / ARCHITECTURE)
    return str(find_cell(name, results) / ARCHITECTURE) if ":" in name and not Path(name).exists() else name


def _content(path: Path) -> bytes | None:
    """The bytes of a file, None where there is none; StoreError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error


def _encoded(value: object, encoder: json.JSONEncoder) -> str:
    try:
        return encoder.encode(value)
    except (TypeError, ValueError) as error:
        raise BenchError(f"a value cannot be stored as JSON: {error}") from error  # computed wrongly, not lost


def _earlier(path: Path) -> Path:
    return earlier_record(path.parent, datetime.fromtimestamp(path.stat().st_mtime, UTC))


def _is_complete(content: bytes) -> bool:
    try:
        return bool(json.loads(content)["status"] == "complete")
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _refusal(path: Path, content: bytes, error: ValidationError, noun: str, known: int) -> StoreError:
    try:
        schema = json.loads(content)["schema"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return DamagedFile(f"{path} is not a readable {noun}; the next run makes it again.")
    if isinstance(schema, int) and schema > known:
        return _newer(path, schema, noun, known)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return DamagedFile(f"{path} is not a {noun}: {where}: {first['msg']}.")


def _newer(path: Path, schema: int, noun: str, known: int) -> StoreError:
    return StoreError(
        f"{path} has {noun} schema {schema}, this program reads up to {known}; install a newer trionet_bench."
    )
