"""Phases carried out in this process and finished as the runner finishes them, and records of what cells return."""

from pathlib import Path
from typing import Any

from support.tasks import CLASSIFICATION

from trionet_bench.records.phase import PhaseRecord, content_of, result_files, write_phase
from trionet_bench.records.record import Code, Environment, Record
from trionet_bench.systems import load_system
from trionet_bench.systems.cell import Cell, Phase, Workplace

ENVIRONMENT = Environment(
    python="", torch="", torchvision="", numpy="", platform="", cpu="", cores=1, device="cpu", device_name=""
)
CODE = Code(version="0", commit=None, dirty=None)
LATER = {"environment": ENVIRONMENT, "code": CODE, "command": "", "started": "", "finished": ""}


def finish(phase: Phase, folder: Path, told: dict[str, Any]) -> None:
    """Leave the record of a phase that told this."""
    facts = {name: value for name, value in told.items() if name != "timings"}
    files = result_files(folder)
    record = PhaseRecord(
        name=phase.name, key=phase.key, content=content_of(facts, files), inputs={}, spec=dict(phase.spec),
        facts=facts, files=files, timings=told["timings"], warnings=[], determinism={}, **LATER,
    )  # fmt: skip
    write_phase(folder, record)


def phase_folders(of: Cell, at: Path) -> dict[str, Path]:
    """The folder of every phase of a cell; what is not there yet is carried out, each with those before it."""
    folders: dict[str, Path] = {}
    system = load_system(of.system)
    for phase in system.phases(of):
        folder = at / f"{phase.name}-{phase.key[:12]}"
        if not folder.exists():
            folder.mkdir(parents=True)
            finish(phase, folder, system.run_phase(phase, of, Workplace(folder, dict(folders))))
        folders[phase.name] = folder
    return folders


def record(of: Cell, fields: dict[str, Any]) -> Record:
    """The fields must be what a record takes; unknown ones are refused."""
    common = {
        "key": "", "suite": of.suite, "dataset": of.data.name, "model": of.model, "system": of.system,
        "budget": of.budget, "seed": of.seed, "status": "complete", "task": CLASSIFICATION, **LATER,
    }  # fmt: skip
    return Record.model_validate(common | fields)
