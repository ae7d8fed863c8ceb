"""A system that trains nothing: results are a function of the cell's key, so that whole suites run in a moment.

Epochs take ``seconds`` together and leave a checkpoint, which a second attempt takes up. ``trace`` is a file that gets
a line for each epoch and each end, so that tests see what was done how often.
"""

import errno
import json
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from trionet_bench.errors import UsageError
from trionet_bench.files import write_atomically
from trionet_bench.records.record import CellResult, Counts, Environment
from trionet_bench.records.store import digest, read_json, write_json
from trionet_bench.records.values import Strict
from trionet_bench.spaces.choice import Space
from trionet_bench.systems.base import PhaseResult, RunContext, System, SystemRunner
from trionet_bench.systems.cell import Cell, Phase, SystemOptions
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.training.platform import Platform


class Nested(Strict):
    depth: int = 1


class Options(SystemOptions):
    shared: bool = False
    seconds: float = 0.0
    epochs: int = 2
    trace: str | None = None
    fault: Literal["none", "raise", "kill", "phase", "memory", "disk", "late", "nan", "impossible"] = "none"
    times: int | None = None  # how many attempts the fault hits, which ``trace`` counts; None hits all
    only_seed: int | None = None  # the seed that the fault hits; None hits all
    label: str = "plain"
    quiet: bool = False
    nested: Nested = Nested()


FakeCell: TypeAlias = Cell[Options, Space]
_NAMES = ("python", "torch", "torchvision", "numpy", "platform", "cpu", "device", "device_name")


class Fake(System[Options, Space]):
    """Registered by importing this module, in worker processes too."""

    name = "fake"
    options_type = Options
    space_type = Space
    implementation = "support.fake_system:FakeRunner"
    platform = "support.fake_system:FakePlatform"
    preload = ()

    def phases(self, cell: FakeCell) -> tuple[Phase, ...]:
        options = cell.options
        if not options.shared:
            return ()
        spec = {"seed": cell.seed, "data": cell.data.key_fields(), "epochs": options.epochs, "fault": options.fault}
        return (Phase("fakenet", spec),)


class FakePlatform(Platform):
    """Has no torch, so that workers start at once."""

    def prepare(self) -> dict[str, object]:
        return {"deterministic_algorithms": True}

    def environment(self) -> Environment:
        return Environment(**dict.fromkeys(_NAMES, "none"), cores=1)

    def peak_memory(self) -> int:
        return 1024

    @property
    def decoding_workers(self) -> int:
        return 0


class FakeRunner(SystemRunner[Options, Space]):
    def check(self, cell: FakeCell) -> None:
        if cell.options.fault == "impossible":
            raise UsageError("No architecture of fake fits 4M MACs: the smallest needs 5M. Raise the budget.")

    def run_phase(self, phase: Phase, cell: FakeCell, context: RunContext) -> PhaseResult:
        if cell.options.fault == "phase":
            raise RuntimeError("the shared part went wrong")
        _epochs(cell, context, f"phase {phase.key[:12]}")
        (context.folder / "weights.safetensors").write_bytes(digest(phase.spec).encode())
        return PhaseResult({"steps": cell.options.epochs}, {"fakenet_s": 0.5})

    def run_cell(self, cell: FakeCell, context: RunContext) -> CellResult:
        options = cell.options
        name = f"{cell.data.name} {cell.model} {cell.budget} {cell.seed}"
        if options.fault != "late" and options.only_seed in (None, cell.seed) and _is_hit(options, name):
            if options.fault == "raise":
                raise ValueError("the loss is not finite")
            if options.fault == "memory":
                raise MemoryError
            if options.fault == "disk":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "evaluations.jsonl")
            if options.fault == "kill":
                print("last words of a dying cell", flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
        warnings.warn("a warning of the fake", stacklevel=1)
        print("on stdout of the worker")
        print("on stderr of the worker", file=sys.stderr)
        _epochs(cell, context, name)
        if options.fault == "late" and _is_hit(options, name):  # nothing is lost but the record
            os.kill(os.getpid(), signal.SIGKILL)
        contents = [read_json(folder / "phase.json")["content"] for folder in context.inputs.values()]
        score = int(digest([cell.seed, cell.budget, options.label, contents])[:6], 16) / 16**6
        test = cell.data.index.labels["test"]
        right = round(score * len(test))
        predictions = np.where(np.arange(len(test)) < right, test, test + 1)
        arrays = {"labels": test, "predictions": predictions, "top5_correct": predictions == test}
        np.savez_compressed(context.folder / "predictions.npz", **arrays)
        write_json(context.folder / "architecture.json", {"label": options.label})
        top1 = float("nan") if options.fault == "nan" else right / len(test)
        return CellResult(
            architecture={"label": options.label},
            macs=3_900_000,
            params=1000,
            macs_by_operator={"conv": 3_900_000},
            macs_by_stage={"0": 3_900_000},
            metrics={"test_top1": top1, "test_top5": right / len(test)},
            counts=Counts(train=8, search_val=1, val=1, test=len(test), evaluated=len(test)),
            timings={"retrain_s": options.seconds},
        )


def _epochs(cell: FakeCell, context: RunContext, name: str) -> None:
    options = cell.options
    checkpoint = context.folder / "retrain.checkpoint"
    state = json.loads(checkpoint.read_text()) if checkpoint.exists() else {"done": 0, "label": options.label}
    assert state["label"] == options.label, "a checkpoint of another specification was taken up"
    for epoch in range(state["done"], options.epochs):
        _trace(options, f"epoch {epoch} {name}")
        time.sleep(options.seconds / options.epochs)
        if not options.quiet:
            context.progress(epoch + 1, options.epochs, "fake")
        write_atomically(checkpoint, json.dumps({"done": epoch + 1, "label": options.label}))
    _trace(options, f"end {name}")


def _is_hit(options: Options, name: str) -> bool:
    """Whether the fault hits this attempt."""
    if options.times is None or options.fault == "none":
        return True
    assert options.trace is not None
    before = Path(options.trace).read_text().count(f"fault {name}") if Path(options.trace).exists() else 0
    _trace(options, f"fault {name}")
    return before < options.times


def _trace(options: Options, line: str) -> None:
    if options.trace:
        with Path(options.trace).open("a") as file:
            file.write(line + "\n")


SYSTEMS.register(Fake())
