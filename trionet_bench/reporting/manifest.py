"""The files of a report and the list of them, ``report.json``, by which the next report knows what to replace.

The list is written before the first file and again after the last, so that a report that was cut short is known as one.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from trionet_bench.errors import DamagedFile, StoreError, UsageError
from trionet_bench.files import set_aside, write_atomically
from trionet_bench.records.store import read_stored
from trionet_bench.records.values import Versioned
from trionet_bench.reporting.text import listed

MANIFEST = "report.json"
_log = logging.getLogger(__name__)


class Manifest(Versioned):
    """Of a report.

    Args:
        suites: that it is of.
        coverage: how many of their cells it has, in a sentence.
        files: relative to the folder of the report.
        finished: whether all of them were written.
    """

    schema_: int = Field(default=1, alias="schema")
    suites: tuple[str, ...]
    coverage: str = ""
    files: list[str]
    finished: bool = True


def is_whole(out: Path) -> bool:
    """Whether a report lies in a folder to its last file."""
    try:
        manifest = _read(out)
    except DamagedFile:
        return False
    return manifest is not None and manifest.finished and all((out / name).is_file() for name in manifest.files)


def refuse_other(out: Path, suites: Sequence[str], force: bool) -> None:
    """UsageError where the report of another suite would be replaced, unless ``force``; before anything is drawn."""
    last = _last(out)
    if last is not None and last.suites != tuple(suites) and not force:
        raise UsageError(
            f"{out} holds the report of {listed([*last.suites])}; give another --out, or --force to replace it."
        )


def write_files(out: Path, files: Mapping[str, bytes], suites: Sequence[str], coverage: str) -> None:
    """Put a report, contents by name, in the place of the last one; StoreError where the folder cannot be written."""
    last = _last(out)
    names = sorted([*files, MANIFEST])
    gone = sorted(set(last.files).difference(names)) if last else []
    begun = Manifest(suites=tuple(suites), coverage=coverage, files=[*names, *gone], finished=False)
    _write(out, begun)
    try:
        for name in gone:
            (out / name).unlink(missing_ok=True)
        for name, content in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise _not_written(out, error.strerror or str(error)) from error
    _write(out, begun.model_copy(update={"files": names, "finished": True}))


def _last(out: Path) -> Manifest | None:
    """What was written here last; a damaged list is set aside with a warning, and its files stay."""
    try:
        return _read(out)
    except DamagedFile as error:
        _log.warning("%s It is set aside; files of an earlier report may stay.", error)
        set_aside(out / MANIFEST)
        return None


def _read(out: Path) -> Manifest | None:
    """The list in a folder; DamagedFile where it is none, or names files elsewhere."""
    if not (out / MANIFEST).is_file():
        return None
    manifest = read_stored(out / MANIFEST, Manifest, "list of a report's files")
    for name in manifest.files if manifest else ():
        path = Path(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts:
            raise DamagedFile(f"{out / MANIFEST} names a file that is not in its folder.")
    return manifest


def _write(out: Path, manifest: Manifest) -> None:
    try:
        write_atomically(out / MANIFEST, json.dumps(manifest.model_dump(by_alias=True), indent=1) + "\n")
    except StoreError as error:
        raise _not_written(out, str(error)) from error


def _not_written(out: Path, reason: str) -> StoreError:
    return StoreError(f"{out} cannot be written: {reason.rstrip('.')}. Name another folder by --out.")
