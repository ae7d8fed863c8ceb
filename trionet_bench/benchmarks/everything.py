"""All benchmarks one after the other, into one JSON document and one page."""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from trionet_bench.benchmarks.measure import Document, Setting, Tell
from trionet_bench.files import write_atomically
from trionet_bench.integrity.provenance import code_state
from trionet_bench.records.store import write_json

BENCHES = {
    "operators": "Operators, forward and backward",
    "training": "Training steps",
    "supernet": "Supernet and search",
    "cost": "Cost of an architecture",
    "data": "Input pipeline",
    "suite": "Suites",
    "start": "Starting",
}
TellOf = Callable[[str], Tell]


def measure_one(bench: str, setting: Setting, tell: Tell, **options: Any) -> Document:
    """One benchmark by its name."""
    module = import_module(f"trionet_bench.benchmarks.{bench}")
    found: Document = module.measure(setting, tell, **options)
    return found


def measure_all(
    setting: Setting, tell_of: TellOf, results: Path, reports: Path, command: str
) -> tuple[Document, Path, Path]:
    """Every benchmark; returns the document, its file and its page. The document names code and ``command``.

    Both are written after each benchmark, so that what was measured is kept whatever happens. A benchmark that fails
    has an ``error`` in place of its cases, and the others go on.
    """
    whole: Document = {"schema": 1, "command": command, "code": code_state().model_dump(), "benches": {}}
    name = ""
    for bench in BENCHES:
        try:
            found = measure_one(bench, setting, tell_of(bench))
        except Exception as error:
            found = {"bench": bench, "error": f"{type(error).__name__}: {error}", "cases": [], "targets": []}
        whole["benches"][bench] = found
        name = name or _machine(found)
        file, page = results / "benchmarks" / f"{name}.json", reports / "benchmarks" / f"{name}.html"
        write_json(file, whole)
        write_atomically(page, _page(whole))
    return whole, file, page


def failed(whole: Document) -> dict[str, str]:
    """What went wrong, by benchmark."""
    return {bench: found["error"] for bench, found in whole["benches"].items() if "error" in found}


def _machine(found: Document) -> str:
    """A file name for the machine: device and cores."""
    where = found.get("environment")
    if where is None:
        return ""
    return re.sub(r"[^a-z0-9]+", "-", f"{where['device_name']} {where['cores']} cores".lower()).strip("-")


def _page(whole: Document) -> str:
    from trionet_bench.benchmarks.page import page

    return page(whole, BENCHES)
