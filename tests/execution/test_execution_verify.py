"""``verify`` and reports on records that were changed or damaged after they were written."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fake_runs import run

from trionet_bench.analysis.results import load
from trionet_bench.integrity.cells import is_doubtful
from trionet_bench.integrity.verify import verify
from trionet_bench.records.store import is_as_written, read_record
from trionet_bench.reporting.answer import coverage_line

Write = Callable[..., Path]


@pytest.fixture
def results(suite_file: Write, tmp_path: Path) -> Path:
    run(suite_file({"a": {}, "b": {"shared": True}}, seeds=[0]), tmp_path / "results")
    return tmp_path / "results"


def folder(results: Path, model: str = "a") -> Path:
    return results / "fakes/digits" / model / "4M-s0"


def messages(results: Path) -> list[tuple[str, str]]:
    return [(fault.path, fault.message) for fault in verify(results).faults]


def test_a_record_is_as_it_was_written_until_a_byte_is_changed(results: Path):
    path = folder(results) / "record.json"
    assert is_as_written(folder(results))
    path.write_bytes(path.read_bytes().replace(b'"none"', b'"nine"', 1))
    assert not is_as_written(folder(results))
    value = json.loads(path.read_text())
    del value["digest"]  # as records were before they had one
    path.write_text(json.dumps(value))
    assert is_as_written(folder(results))


def test_a_suite_that_was_passed_on_without_weights_is_whole_without_them(results: Path):
    cell = folder(results)
    record = read_record(cell)
    assert record is not None
    with_weights = {**record.artifacts, "model.safetensors": hashlib.sha256(b"weights").hexdigest()}
    changed = record.model_copy(update={"artifacts": with_weights})
    (cell / "record.json").write_text(changed.model_dump_json(by_alias=True, exclude={"digest"}))
    assert messages(results) == [("fakes/digits/a/4M-s0/record.json", "model.safetensors is missing")]
    (results / "fakes/no-weights.txt").write_text("")
    assert (verify(results).faults, verify(results).without_weights) == ((), 1)
    (cell / "model.safetensors").write_bytes(b"others")  # what is there is verified
    message = "model.safetensors is not the file that was written"
    assert messages(results) == [("fakes/digits/a/4M-s0/record.json", message)]


@pytest.mark.parametrize("field", ["environment", "timings", "started", "warnings", "command"])
def test_what_cannot_be_computed_again_is_under_the_digest_of_the_record(results: Path, field: str):
    path = folder(results) / "record.json"
    value = json.loads(path.read_text())
    changes: dict[str, Any] = {
        "environment": {**value["environment"], "cpu": "a faster one"},
        "timings": {"retrain_s": 1e-3},
        "started": "2000-01-01T00:00:00+00:00",
        "warnings": [],
        "command": "trionet-bench run other",
    }
    path.write_text(json.dumps({**value, field: changes[field]}, indent=1) + "\n")
    message = "it was changed after it was written, in something that cannot be computed again"
    assert messages(results) == [("fakes/digits/a/4M-s0/record.json", message)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("record.json", b"", "not a readable record"),
        ("record.json", b"[" * 100_000, "not a readable record"),
        ("predictions.npz", b"PK\x03\x04 and then nothing", "predictions.npz cannot be read"),
        ("predictions.npz", b"", "predictions.npz cannot be read"),
    ],
)
def test_every_fault_is_named_and_the_others_are_found_too(results: Path, name: str, content: bytes, message: str):
    (folder(results) / name).write_bytes(content)
    (folder(results, "b") / "architecture.json").unlink()
    found = messages(results)
    assert any(path == "fakes/digits/a/4M-s0/record.json" and message in text for path, text in found)
    assert ("fakes/digits/b/4M-s0/record.json", "architecture.json is missing") in found


def test_values_of_the_wrong_kind_are_faults(results: Path):
    path = folder(results) / "record.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "recipe": {"epochs": "many"}, "data": {}}))
    found = [text for _, text in messages(results)]
    assert any("it cannot be verified further" in text for text in found)


def test_a_fault_is_one_line_and_named_once(results: Path):
    path = folder(results) / "record.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "task": {**value["task"], "name": "brightness"}}))
    unknown = 'unknown task "brightness"; allowed are classification, context-autoregression, retrieval.'
    assert [text for _, text in messages(results)].count(unknown) == 1
    path.write_text(json.dumps({**value, "options": {**value["options"], "warp": 9}}))
    found = [text for _, text in messages(results)]
    assert "it cannot be verified further: warp: Extra inputs are not permitted" in found
    assert not [text for text in found if "\n" in text]


def test_names_in_a_record_lead_nowhere_else(results: Path):
    path = folder(results) / "record.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "artifacts": {"../../../../../etc/passwd": "0" * 64}}))
    assert any("is not the name of a file in its folder" in text for _, text in messages(results))


def test_predictions_that_would_run_code_are_refused(results: Path):
    path = folder(results) / "predictions.npz"
    with path.open("wb") as file:
        np.savez(file, labels=np.array([print], dtype=object))
    assert any("predictions.npz cannot be read" in text for _, text in messages(results))


def test_a_report_says_what_does_not_verify(results: Path):
    def coverage() -> str:
        return coverage_line(load([results], doubt=is_doubtful))

    assert coverage() == "2 of 2 cells, 0 failed"
    path = folder(results) / "record.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "metrics": {"test_top1": 1.0, "test_top5": 1.0}}))
    assert coverage() == "2 of 2 cells, 0 failed, 1 record does not verify (‡): digits/a/4M-s0"
    path.write_text(path.read_text()[:100])
    (results / "fakes/suite.json").write_text("{")
    assert coverage() == "1 of 1 cell, 0 failed, 1 damaged record left out"
