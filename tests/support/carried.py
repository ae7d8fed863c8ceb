"""Phases carried out in this process and finished as the runner finishes them, and records of what cells return."""

from pathlib import Path

from trionet_bench.records.layout import CHECKPOINT_SUFFIX
from trionet_bench.records.phase import PhaseRecord, content_of, result_files, write_phase
from trionet_bench.records.record import CellResult, Code, Environment, Record
from trionet_bench.systems.base import PhaseResult, RunContext
from trionet_bench.systems.cell import AnyCell, Phase
from trionet_bench.systems.registry import SYSTEMS

ENVIRONMENT = Environment(
    python="", torch="", torchvision="", numpy="", platform="", cpu="", cores=1, device="cpu", device_name=""
)
CODE = Code(version="0", commit=None, dirty=None)
LATER = {"environment": ENVIRONMENT, "code": CODE, "command": "", "started": "", "finished": ""}


def finish(phase: Phase, folder: Path, result: PhaseResult) -> None:
    """Leave the record of a phase with this result."""
    files = result_files(folder)
    record = PhaseRecord(
        name=phase.name, key=phase.key, content=content_of(result.facts, files), inputs={}, spec=dict(phase.spec),
        facts=result.facts, files=files, timings=dict(result.timings), warnings=[], determinism={}, **LATER,
    )  # fmt: skip
    write_phase(folder, record)


def phase_folders(of: AnyCell, at: Path) -> dict[str, Path]:
    """The folder of every phase of a cell; what is not there yet is carried out, each with those before it."""
    folders: dict[str, Path] = {}
    system = SYSTEMS.get(of.system)
    for phase in system.phases(of):
        folder = at / f"{phase.name}-{phase.key[:12]}"
        if not folder.exists():
            folder.mkdir(parents=True)
            finish(phase, folder, system.runner.run_phase(phase, of, RunContext(folder, dict(folders))))
        folders[phase.name] = folder
    return folders


def record(of: AnyCell, result: CellResult) -> Record:
    """The record of a cell with this result."""
    return Record(
        key="", suite=of.suite, dataset=of.data.name, model=of.model, system=of.system, budget=of.budget, seed=of.seed,
        status="complete", task=of.data.task.info, **dict(result), **LATER,
    )  # fmt: skip


def result_names(folder: Path) -> list[str]:
    """Names of what a runner leaves, without the checkpoints, which go once a record is written."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != CHECKPOINT_SUFFIX)
