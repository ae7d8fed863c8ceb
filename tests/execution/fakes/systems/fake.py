"""A system that trains nothing: results are a function of the cell's key, so that whole suites run in a moment.

Epochs take ``seconds`` together and leave a checkpoint, which a second attempt takes up. ``trace`` is a file that gets
a line for each epoch and each end, so that tests see what was done how often.
"""

import json
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np

from trionet_bench.errors import UsageError
from trionet_bench.files import write_atomically
from trionet_bench.records.store import digest, read_json, write_json
from trionet_bench.records.values import Strict
from trionet_bench.systems.cell import Cell, Phase, Workplace


class Nested(Strict):
    depth: int = 1


class Options(Strict):
    shared: bool = False
    seconds: float = 0.0
    epochs: int = 2
    trace: str | None = None
    fault: Literal["none", "raise", "kill", "phase", "memory", "impossible"] = "none"
    only_seed: int | None = None  # the seed that the fault hits; None hits all
    label: str = "plain"
    quiet: bool = False
    nested: Nested = Nested()


def check(cell: Cell) -> None:
    if _options(cell).fault == "impossible":
        raise UsageError("No architecture of fake fits 4M MACs: the smallest needs 5M. Raise the budget.")


def phases(cell: Cell) -> tuple[Phase, ...]:
    options = _options(cell)
    if not options.shared:
        return ()
    spec = {"seed": cell.seed, "data": cell.data.key_fields(), "epochs": options.epochs, "fault": options.fault}
    return (Phase("fakenet", spec),)


def run_phase(phase: Phase, cell: Cell, workplace: Workplace) -> dict[str, Any]:
    if _options(cell).fault == "phase":
        raise RuntimeError("the shared part went wrong")
    _epochs(cell, workplace, f"phase {phase.key[:12]}")
    (workplace.folder / "weights.safetensors").write_bytes(digest(phase.spec).encode())
    return {"steps": _options(cell).epochs, "timings": {"fakenet_s": 0.5}}


def run_cell(cell: Cell, workplace: Workplace) -> dict[str, Any]:
    options = _options(cell)
    name = f"{cell.data.name} {cell.model} {cell.budget} {cell.seed}"
    if options.only_seed in (None, cell.seed):
        if options.fault == "raise":
            raise ValueError("the loss is not finite")
        if options.fault == "memory":
            raise MemoryError
        if options.fault == "kill":
            print("last words of a dying cell", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    warnings.warn("a warning of the fake", stacklevel=1)
    print("on stdout of the worker")
    print("on stderr of the worker", file=sys.stderr)
    _epochs(cell, workplace, name)
    facts = [read_json(folder / "phase.json")["content"] for folder in workplace.inputs.values()]
    score = int(digest([cell.seed, cell.budget, options.label, facts])[:6], 16) / 16**6
    test = cell.data.index.labels["test"]
    right = round(score * len(test))
    predictions = np.where(np.arange(len(test)) < right, test, test + 1)
    arrays = {"labels": test, "predictions": predictions, "top5_correct": predictions == test}
    np.savez_compressed(workplace.folder / "predictions.npz", **arrays)
    write_json(workplace.folder / "architecture.json", {"label": options.label})
    return {
        "architecture": {"label": options.label},
        "macs": 3_900_000,
        "params": 1000,
        "macs_by_operator": {"conv": 3_900_000},
        "macs_by_stage": {"0": 3_900_000},
        "metrics": {"test_top1": right / len(test), "test_top5": right / len(test)},
        "counts": {"train": 8, "search_val": 1, "val": 1, "test": len(test), "evaluated": len(test)},
        "timings": {"retrain_s": options.seconds},
    }


def _epochs(cell: Cell, workplace: Workplace, name: str) -> None:
    options = _options(cell)
    checkpoint = workplace.folder / "retrain.checkpoint"
    state = json.loads(checkpoint.read_text()) if checkpoint.exists() else {"done": 0, "label": options.label}
    assert state["label"] == options.label, "a checkpoint of another specification was taken up"
    for epoch in range(state["done"], options.epochs):
        _trace(options, f"epoch {epoch} {name}")
        time.sleep(options.seconds / options.epochs)
        if not options.quiet:
            workplace.progress(epoch + 1, options.epochs, "fake")
        write_atomically(checkpoint, json.dumps({"done": epoch + 1, "label": options.label}))
    checkpoint.unlink(missing_ok=True)
    _trace(options, f"end {name}")


def _trace(options: Options, line: str) -> None:
    if options.trace:
        with Path(options.trace).open("a") as file:
            file.write(line + "\n")


def _options(cell: Cell) -> Options:
    assert isinstance(cell.options, Options)
    return cell.options
