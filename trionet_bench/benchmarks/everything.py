"""All benchmarks one after the other, into one JSON document and one page."""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from trionet_bench.benchmarks.measure import Document, OnCase
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.files import write_atomically
from trionet_bench.integrity.provenance import code_state
from trionet_bench.records.store import write_json

BENCHES = {
    "operators": "Operators, forward and backward",
    "normalisation": "Batch normalisation",
    "training": "Training steps",
    "supernet": "Supernet and search",
    "cost": "Cost of an architecture",
    "data": "Input pipeline",
    "suite": "Suites",
    "start": "Starting",
}
OnCaseOf = Callable[[str], OnCase]


def measure_one(bench: str, setting: Setting, on_case: OnCase, **options: Any) -> Document:
    """One benchmark by its name."""
    module = import_module(f"trionet_bench.benchmarks.{bench}")
    document: Document = module.measure(setting, on_case, **options)
    return document


def measure_all(
    setting: Setting, on_case_of: OnCaseOf, results: Path, reports: Path, command: str
) -> tuple[Document, Path, Path]:
    """Every benchmark; returns the document, its file and its page. The document names code and ``command``.

    Both are written after each benchmark, so that what was measured is kept whatever happens. A benchmark that fails
    has an ``error`` in place of its cases, and the others go on.
    """
    everything: Document = {"schema": 1, "command": command, "code": code_state().model_dump(), "benches": {}}
    name = ""
    for bench in BENCHES:
        try:
            document = measure_one(bench, setting, on_case_of(bench))
        except Exception as error:
            document = {"bench": bench, "error": f"{type(error).__name__}: {error}", "cases": [], "targets": []}
        everything["benches"][bench] = document
        name = name or machine(document)
        file, page = results / "benchmarks" / f"{name}.json", reports / "benchmarks" / f"{name}.html"
        write_json(file, everything)
        write_atomically(page, _page(everything))
    return everything, file, page


def failed(everything: Document) -> dict[str, str]:
    """Errors by benchmark."""
    return {bench: one["error"] for bench, one in everything["benches"].items() if "error" in one}


def machine(document: Document) -> str:
    """A file name for the machine that a document was measured on: device and cores; empty where that failed."""
    where = document.get("environment")
    if where is None:
        return ""
    return re.sub(r"[^a-z0-9]+", "-", f"{where['device_name']} {where['cores']} cores".lower()).strip("-")


def _page(everything: Document) -> str:
    from trionet_bench.benchmarks.page import page  # matplotlib and pandas, which single benchmarks do not need

    return page(everything, BENCHES)
