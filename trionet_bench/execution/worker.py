"""One cell or one shared phase, carried out in a worker process: from the job to its record on disk."""

import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from trionet_bench.errors import DataError, StoreError
from trionet_bench.execution.jobs import CellJob, Job, PhaseJob
from trionet_bench.files import DAMAGED, remove_drafts, set_aside, write_atomically
from trionet_bench.jsontypes import JsonObject
from trionet_bench.plugins import load_plugins
from trionet_bench.records.layout import CHECKPOINT_SUFFIX, LOG, PHASE, is_record
from trionet_bench.records.phase import (
    PhaseRecord,
    artifacts,
    content_of,
    result_files,
    write_phase,
)
from trionet_bench.records.record import Code, Environment, Failure, Record
from trionet_bench.records.redaction import anonymous
from trionet_bench.records.store import digest, retire_record, write_record
from trionet_bench.records.task_info import TaskInfo
from trionet_bench.registry import resolve
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.cell import COMPUTATION
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.terminal import VisibleFile
from trionet_bench.training.platform import Platform, Resources

Report = Callable[[int, int, str], None]

_ATTEMPT = ".attempt"  # holds the key that the unfinished files of a folder belong to


@dataclass(frozen=True)
class RunRequest:
    """What a run asks for, whatever its jobs.

    Args:
        results: the results folder, of all suites, absolute.
        fidelity: of the suite, for the records.
        code, command: for the records.
        retry_failed, force, retries: see ``execution.session.Session``.
        cache: folder for decoded images.
    """

    results: Path
    fidelity: Literal["full", "smoke"]
    code: Code
    command: str
    retry_failed: bool = False
    force: bool = False
    cache: Path | None = None
    retries: int = 0


@dataclass(frozen=True)
class Outcome:
    """What became of a job. A cell has its record on disk by now; a failed phase has nothing."""

    failure: Failure | None
    environment: Environment
    seconds: float
    metrics: Mapping[str, float]
    content: str | None = None
    task: TaskInfo | None = None


@dataclass(frozen=True)
class _Attempt:
    """What all records of one attempt have in common; ``warnings`` grows while it lasts."""

    request: RunRequest
    platform: Platform
    environment: Environment
    determinism: JsonObject
    started: str
    warnings: list[str]


def carry_out(job: Job, request: RunRequest, resources: Resources, report: Report, fresh: bool = False) -> Outcome:
    """Do a job and leave its record. Once it has begun only a store error escapes; any other becomes a failed record or
    outcome.

    Args:
        report: called with (steps done, steps in total, what is going on).
        fresh: from the start, whatever an interrupted attempt left.
    """
    load_plugins()
    platform = make_platform(job, resources)
    determinism = platform.prepare()
    prepare(job, request.results, fresh)
    began = time.monotonic()
    with logged(job.folder / LOG) as warned:
        warned.extend(job.cell.data.index.warnings)
        attempt = _Attempt(request, platform, platform.environment(), determinism, utc_now(), warned)
        context = run_context(job, request, resources, platform, report)
        metrics: Mapping[str, float] = {}
        content, failure = None, None
        try:
            if isinstance(job, PhaseJob):
                content = _phase(job, attempt, context).content
            else:
                metrics = _cell(job, attempt, context).metrics
        except StoreError:
            raise
        except Exception as error:
            traceback.print_exc()
            failure = failure_of(error)
            if isinstance(job, CellJob):
                record = failed_record(job, job.key, request, failure, attempt.environment, attempt.started)
                write_record(job.folder, record)
    seconds = time.monotonic() - began
    return Outcome(failure, attempt.environment, seconds, metrics, content, job.cell.data.task.info)


def make_platform(job: Job, resources: Resources) -> Platform:
    """The platform that a job's system computes on; its module is imported now."""
    system = SYSTEMS.get(job.cell.system)
    platform = resolve(system.platform)
    if not (isinstance(platform, type) and issubclass(platform, Platform)):
        raise TypeError(f"{system.platform} of the system {system.name} is not a Platform")
    return platform(resources)


def run_context(job: Job, request: RunRequest, resources: Resources, platform: Platform, report: Report) -> RunContext:
    """What a system gets to carry a job out."""
    return RunContext(
        folder=job.folder,
        inputs={name: request.results / job.cell.suite / item.path for name, item in job.inputs.items()},
        device=resources.device,
        workers=platform.decoding_workers,
        cache=request.cache,
        progress=report,
    )


def failed_record(
    job: CellJob, key: str, request: RunRequest, failure: Failure, environment: Environment, started: str
) -> Record:
    """The record of a cell that could not be carried out to its end."""
    return Record(
        **_asked(job, key, request),
        status="failed",
        error=failure,
        environment=environment,
        started=started,
        finished=utc_now(),
    )


def failure_of(error: BaseException) -> Failure:
    """An exception for the record, with the end of its traceback."""
    lines = traceback.format_exception(error)
    message = str(error) or type(error).__name__
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        message += " (out of memory: run with fewer --jobs, or lower the recipe's batch)"
    return Failure(
        type=type(error).__name__,
        message=anonymous(message),
        traceback=anonymous("".join(lines[-20:])),
        surroundings=_is_of_surroundings(error),
    )


def _is_of_surroundings(error: BaseException) -> bool:
    """Whether the disk, the memory or the data were the cause of an error, or of the one behind it."""
    own = isinstance(error, OSError | MemoryError | DataError) or type(error).__name__ == "OutOfMemoryError"
    return own or (error.__cause__ is not None and _is_of_surroundings(error.__cause__))


def utc_now() -> str:
    """The time for a record."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _cell(job: CellJob, attempt: _Attempt, context: RunContext) -> Record:
    cell = job.cell
    result = SYSTEMS.get(cell.system).runner.run_cell(cell, context)
    asked = _asked(job, job.key, attempt.request)
    asked["data"]["split"] = cell.data.splits(cell.seed).hash
    fields = dict(result) | {"warnings": list(dict.fromkeys([*attempt.warnings, *result.warnings]))}
    record = Record(
        **asked,
        **fields,
        status="complete",
        peak_memory_bytes=attempt.platform.peak_memory(),
        artifacts=artifacts(job.folder),
        environment=attempt.environment,
        determinism=attempt.determinism,
        started=attempt.started,
        finished=utc_now(),
    )
    write_record(job.folder, record)
    sweep(job.folder)
    return record


def _phase(job: PhaseJob, attempt: _Attempt, context: RunContext) -> PhaseRecord:
    began, phase = time.monotonic(), job.phase
    result = SYSTEMS.get(job.cell.system).runner.run_phase(phase, job.cell, context)
    files = result_files(job.folder)
    record = PhaseRecord(
        name=phase.name,
        key=phase.key,
        content=content_of(result.facts, files),
        inputs={name: item.content for name, item in job.inputs.items()},
        spec=dict(phase.spec),
        facts=result.facts,
        files=files,
        timings={"phase_s": time.monotonic() - began, **result.timings},
        peak_memory_bytes=attempt.platform.peak_memory(),
        warnings=list(dict.fromkeys(attempt.warnings)),
        environment=attempt.environment,
        code=attempt.request.code,
        determinism=attempt.determinism,
        command=attempt.request.command,
        started=attempt.started,
        finished=utc_now(),
    )
    write_phase(job.folder, record)
    sweep(job.folder)
    return record


def _asked(job: CellJob, key: str, request: RunRequest) -> JsonObject:
    """The fields of a record that are known before a cell is carried out."""
    cell, index = job.cell, job.cell.data.index
    return {
        "computation": COMPUTATION,
        "key": key,
        "suite": cell.suite,
        "dataset": cell.data.name,
        "model": cell.model,
        "system": cell.system,
        "budget": cell.budget,
        "seed": cell.seed,
        "task": cell.data.task.info,
        "fidelity": "smoke" if request.fidelity == "smoke" else cell.recipe.fidelity,
        "data": {
            "source": index.uri,
            **cell.data.key_fields(),
            "identity": index.identity,
            "decoders": list(index.decoders),
            "classes": list(index.classes),
            "channels": index.channels,
            "value_range": list(index.value_range) if index.value_range is not None else None,
            "left_out": [asdict(each) for each in index.left_out],
        },
        "recipe": cell.recipe.model_dump(mode="json"),
        "options": cell.options.model_dump(mode="json"),
        "space": cell.space.to_dict(),
        "resolution": cell.resolution,
        "inputs": dict(job.inputs),
        "code": request.code,
        "command": request.command,
    }


def prepare(job: Job, results: Path, fresh: bool) -> None:
    """Make an empty folder, or unless ``fresh`` keep one with what an interrupted attempt at the very same job left.

    Links in it are removed. StoreError where the folder itself is reached by a link that leads out of ``results``.
    """
    if not job.folder.resolve().is_relative_to(results.resolve()):
        raise StoreError(
            f"{job.folder} leads to {job.folder.resolve()}, outside of the results folder, where nothing is written or "
            "removed. Remove the link, or name the other folder by --results."
        )
    marker = job.folder / _ATTEMPT
    key = digest([job.key, {name: item.content for name, item in job.inputs.items()}])
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        remove_drafts(job.folder)
        retire_record(job.folder)
        if isinstance(job, PhaseJob) and (job.folder / PHASE).exists():  # it is carried out, so this one is damaged
            set_aside(job.folder / PHASE)
        for path in job.folder.iterdir():
            if path.is_symlink():  # of nothing that we write
                path.unlink()
        if fresh or not marker.is_file() or marker.read_text() != key:
            # What says that a phase is done goes first.
            for path in sorted(job.folder.iterdir(), key=lambda path: path.name != PHASE):
                if path.is_file() and not is_record(path) and path.suffix != DAMAGED:
                    path.unlink()
            write_atomically(marker, key)
    except OSError as error:
        raise StoreError(f"{job.folder} could not be made ready: {error.strerror}.") from error


def sweep(folder: Path) -> None:
    """Remove what only an interrupted attempt needs. This comes after the record, so that whatever ends the process
    before it loses no training; what a kill then leaves, the next run sweeps.
    """
    for path in (*folder.glob(f"*{CHECKPOINT_SUFFIX}"), folder / _ATTEMPT):
        with suppress(OSError):  # it is in nobody's way
            path.unlink()


def is_swept(folder: Path) -> bool:
    """Whether nothing of an attempt is left in a folder."""
    return not (folder / _ATTEMPT).exists()


class _Log(VisibleFile):
    """A log that costs nothing but itself where the disk is full."""

    def write(self, text: str) -> int:
        """Write what can be written; the number of characters of ``text``."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write out what can be."""
        with suppress(OSError):
            super().flush()

    def close(self) -> None:
        """Close the file, with what could be written."""
        with suppress(OSError):
            super().close()


def _log_file(path: Path) -> _Log:
    try:
        return _Log(path.open("ab"), encoding="utf-8", line_buffering=True)
    except OSError as error:
        raise StoreError(f"{path} could not be opened: {error.strerror}.") from error


@contextmanager
def logged(path: Path) -> Iterator[list[str]]:
    """Everything that is printed, logged or warned of goes to the log; warnings are also collected in the list.

    Control characters stand in the log by their escapes, apart from what programs outside Python write.
    """
    warned: list[str] = []

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        warned.append(anonymous(f"{category.__name__}: {message}"))
        print(warned[-1], file=sys.stderr, flush=True)

    with _log_file(path) as log, warnings.catch_warnings():
        sys.stdout.flush()
        sys.stderr.flush()
        kept = [os.dup(descriptor) for descriptor in (1, 2)]
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)
        handler = logging.StreamHandler(log)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root, level = logging.getLogger(), logging.getLogger().level
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        warnings.showwarning = show
        try:
            with redirect_stdout(log), redirect_stderr(log):
                yield warned
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
            for descriptor, original in zip((1, 2), kept, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
