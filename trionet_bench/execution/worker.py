"""One cell or one shared phase, carried out in a worker process: from the task to its record on disk."""

import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from trionet_bench.errors import StoreError
from trionet_bench.files import write_atomically
from trionet_bench.integrity.provenance import anonymous
from trionet_bench.records.layout import PHASE, is_record
from trionet_bench.records.phase import (
    PhaseRecord,
    artifacts,
    content_of,
    result_files,
    write_phase,
)
from trionet_bench.records.record import Code, Environment, Failure, Input, Record
from trionet_bench.records.store import digest, retire_record, write_record
from trionet_bench.systems import load_system
from trionet_bench.systems.cell import Cell, Phase, Workplace
from trionet_bench.tasks.registry import DEFAULT

LOG = "log.txt"
_ATTEMPT = ".attempt"  # holds the key that the unfinished files of a folder belong to
_NOT_FACTS = ("timings", "peak_memory_bytes")

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Task:
    """All that a worker needs to know. It travels to other processes and machines, so every path in it is absolute.

    Args:
        phase: carried out instead of the cell when it is given; the cell is then one of those that need it.
        results: the results folder, of all suites.
        folder: of the cell or phase.
        inputs: the finished phases that it hangs from, by name.
        key: of the cell, once its phases are done, or of the phase.
        fresh: forget what an interrupted attempt left.
    """

    cell: Cell
    phase: Phase | None
    results: Path
    folder: Path
    inputs: Mapping[str, Input]
    key: str
    fidelity: Literal["full", "smoke"]
    code: Code
    command: str
    cache: Path | None = None
    fresh: bool = False


@dataclass(frozen=True)
class Desk:
    """What a worker process works with: a torch device and a number of threads, which can change sums of floats."""

    device: str
    threads: int


@dataclass(frozen=True)
class Outcome:
    """What became of a task. A cell has its record on disk by now; a failed phase has nothing."""

    failure: Failure | None
    environment: Environment
    seconds: float
    metrics: Mapping[str, float]
    content: str | None = None


@dataclass
class _Attempt:
    """One attempt's common knowledge."""

    task: Task
    device: Any
    environment: Environment
    determinism: dict[str, Any]
    started: str
    warnings: list[str]


def carry_out(task: Task, desk: Desk, tell: Tell) -> Outcome:
    """Do the task and leave its record. Only a store error escapes; any other becomes a failed record or outcome."""
    import torch  # loads in workers only

    from trionet_bench.training.device import environment, make_deterministic, reset_peak_memory, resolve_device

    device = resolve_device(desk.device)
    torch.set_num_threads(desk.threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    determinism = make_deterministic(device)
    reset_peak_memory(device)
    prepare(task)
    began = time.monotonic()
    with _logged(task.folder / LOG) as heard:
        heard.extend(task.cell.data.index.warnings)
        attempt = _Attempt(task, device, environment(device), determinism, utc_now(), heard)
        workplace = Workplace(
            folder=task.folder,
            inputs={name: task.results / task.cell.suite / item.path for name, item in task.inputs.items()},
            device=desk.device,
            workers=0 if device.type == "cpu" else desk.threads,  # on a CPU training itself needs every core
            cache=task.cache,
            progress=tell,
        )
        metrics: Mapping[str, float] = {}
        content, failure = None, None
        try:
            if task.phase is not None:
                content = _phase(task.phase, attempt, workplace).content
            else:
                metrics = _cell(attempt, workplace).metrics
        except StoreError:
            raise
        except Exception as error:
            traceback.print_exc()
            failure = failure_of(error)
            if task.phase is None:
                write_record(task.folder, failed_record(task, failure, attempt.environment, attempt.started))
    if failure is None:
        (task.folder / _ATTEMPT).unlink(missing_ok=True)
    return Outcome(failure, attempt.environment, time.monotonic() - began, metrics, content)


def failed_record(task: Task, failure: Failure, environment: Environment, started: str) -> Record:
    """The record of a cell that came to nothing."""
    common = _common(task)
    return Record(
        **common, status="failed", error=failure, environment=environment, started=started, finished=utc_now()
    )


def failure_of(error: BaseException) -> Failure:
    """An exception for the record, with the end of its traceback."""
    lines = traceback.format_exception(error)
    message = str(error) or type(error).__name__
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        message += " (out of memory: run with fewer --jobs, or lower the recipe's batch)"
    return Failure(type=type(error).__name__, message=anonymous(message), traceback=anonymous("".join(lines[-20:])))


def as_input(suite_folder: Path, folder: Path, key: str, content: str) -> Input:
    """A finished phase as a record names it."""
    return Input(key=key, content=content, path=folder.relative_to(suite_folder).as_posix())


def utc_now() -> str:
    """The time for a record."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _cell(attempt: _Attempt, workplace: Workplace) -> Record:
    from trionet_bench.training.device import peak_memory

    task, cell = attempt.task, attempt.task.cell
    fields = load_system(cell.system).run_cell(cell, workplace)
    common = _common(task)
    splits = cell.data.splits(cell.seed)
    record = Record.model_validate(
        {
            **common,
            "data": {**common["data"], "split": splits.hash},
            "peak_memory_bytes": peak_memory(attempt.device),
            **fields,
            "status": "complete",
            "artifacts": artifacts(task.folder),
            "warnings": [*dict.fromkeys([*attempt.warnings, *fields.get("warnings", ())])],
            "environment": attempt.environment,
            "determinism": attempt.determinism,
            "started": attempt.started,
            "finished": utc_now(),
        }
    )
    write_record(task.folder, record)
    return record


def _phase(phase: Phase, attempt: _Attempt, workplace: Workplace) -> PhaseRecord:
    from trionet_bench.training.device import peak_memory

    task, began = attempt.task, time.monotonic()
    told = load_system(task.cell.system).run_phase(phase, task.cell, workplace)
    facts = {name: value for name, value in told.items() if name not in _NOT_FACTS}
    files = result_files(task.folder)
    record = PhaseRecord(
        name=phase.name,
        key=phase.key,
        content=content_of(facts, files),
        inputs={name: item.content for name, item in task.inputs.items()},
        spec=dict(phase.spec),
        facts=facts,
        files=files,
        timings={"phase_s": time.monotonic() - began, **told.get("timings", {})},
        peak_memory_bytes=told.get("peak_memory_bytes", peak_memory(attempt.device)),
        warnings=list(dict.fromkeys(attempt.warnings)),
        environment=attempt.environment,
        code=task.code,
        determinism=attempt.determinism,
        command=task.command,
        started=attempt.started,
        finished=utc_now(),
    )
    write_phase(task.folder, record)
    return record


def _common(task: Task) -> dict[str, Any]:
    """What a record says of a cell whatever came of it."""
    cell, index = task.cell, task.cell.data.index
    return {
        "key": task.key,
        "suite": cell.suite,
        "dataset": cell.data.name,
        "model": cell.model,
        "system": cell.system,
        "budget": cell.budget,
        "seed": cell.seed,
        "task": DEFAULT.info,
        "fidelity": task.fidelity,
        "data": {
            "source": index.uri,
            **cell.data.key_fields(),
            "identity": index.identity,
            "decoders": list(index.decoders),
            "classes": list(index.classes),
            "channels": index.channels,
        },
        "recipe": cell.recipe.model_dump(mode="json"),
        "options": cell.options.model_dump(mode="json"),
        "space": cell.space.to_dict(),
        "resolution": cell.resolution,
        "inputs": dict(task.inputs),
        "code": task.code,
        "command": task.command,
    }


def prepare(task: Task) -> None:
    """An empty folder, or one with what an interrupted attempt at the very same task left."""
    marker = task.folder / _ATTEMPT
    key = digest([task.key, {name: item.content for name, item in task.inputs.items()}])
    try:
        task.folder.mkdir(parents=True, exist_ok=True)
        retire_record(task.folder)
        if task.fresh or not marker.is_file() or marker.read_text() != key:
            # What says that a phase is done goes first.
            for path in sorted(task.folder.iterdir(), key=lambda path: path.name != PHASE):
                if path.is_file() and not is_record(path):
                    path.unlink()
            write_atomically(marker, key)
    except OSError as error:
        raise StoreError(f"{task.folder} could not be made ready: {error.strerror}.") from error


@contextmanager
def _logged(path: Path) -> Iterator[list[str]]:
    """Everything that is printed, logged or warned of goes to the log; warnings are also collected in the list."""
    heard: list[str] = []

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        heard.append(anonymous(f"{category.__name__}: {message}"))
        print(heard[-1], file=sys.stderr, flush=True)

    with path.open("a", buffering=1, encoding="utf-8") as log, warnings.catch_warnings():
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
                yield heard
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
            for descriptor, original in zip((1, 2), kept, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
