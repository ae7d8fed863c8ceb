"""Pieces of the soak: comparing two runs, changing files, ending programs."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.soak import mutations, ran, warm
from tests.soak.equality import differences
from tests.soak.failures import lasting_failures
from tests.soak.findings import error_text, told
from tests.soak.processes import descendants, group, resident_bytes

CELL = "digits/conv/200K-s0"
RECORD = {
    "key": "k",
    "metrics": {"top1": 0.5},
    "timings": {"train_s": 1.0},
    "artifacts": {"history.jsonl": "a", "b": "c"},
}
# Tells the number and the exit code of a process in one breath, when that has ended.
SERVER = "import os; os.read(0, 9999); child = os.fork() or os._exit(3); os.wait(); os.write(1, b'%d\\n3\\n' % child)"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "expected"
    (folder / CELL).mkdir(parents=True)
    (folder / ".claims").mkdir()
    (folder / CELL / "record.json").write_text(json.dumps(RECORD))
    (folder / CELL / "history.jsonl").write_text('{"loss": 1.0, "seconds": 2.0}\n{"loss": 0.5, "seconds": 2.0}\n')
    (folder / CELL / "model.safetensors").write_bytes(b"weights")
    (folder / "index.html").write_text("<style>a</style><p>take conv</p><td>1.5 ms</td>")
    (folder / "cost.csv").write_text("seconds\n1\n")
    np.savez(folder / CELL / "predictions.npz", labels=np.arange(3))
    return folder


def changed(results: Path, name: str, text: str) -> list[str]:
    """Differences to a copy in which a file was changed: ``OLD => NEW``, or `` => NEW`` for all of it."""
    copy = results.with_name("found")
    subprocess.run(["cp", "-r", str(results), str(copy)], check=True)
    before, _, after = text.partition(" => ")
    file = copy / name
    old = file.read_text() if file.exists() else ""
    assert before in old
    file.write_text(old.replace(before, after) if before else after)
    return differences(results, copy)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (f"{CELL}/record.json", '"train_s": 1.0 => "train_s": 9.0'),
        (f"{CELL}/record.json", '"history.jsonl": "a" => "history.jsonl": "z"'),
        (f"{CELL}/history.jsonl", '"seconds": 2.0 => "seconds": 3.0'),
        (f"{CELL}/log.txt", " => an attempt"),
        (f"{CELL}/record.20261127T100000.000000Z.json", " => {}"),
        (f"{CELL}/retrain-damaged.checkpoint", " => torn"),
        (f"{CELL}/record.json.damaged", " => torn"),
        (".claims/conv", " => 17"),
        ("index.html", "1.5 ms => 2.5 ms"),
        ("index.html", "<style>a => <style>b"),
        ("cost.csv", "1 => 2"),
    ],
)
def test_times_and_traces_of_attempts_are_no_difference(results: Path, name: str, text: str):
    assert changed(results, name, text) == []


@pytest.mark.parametrize(
    ("name", "text", "difference"),
    [
        (f"{CELL}/record.json", '"top1": 0.5 => "top1": 0.6', "differs"),
        (f"{CELL}/record.json", '"b": "c" => "b": "d"', "differs"),
        (f"{CELL}/history.jsonl", '"loss": 0.5 => "loss": 0.4', "differs"),
        (f"{CELL}/model.safetensors", "weights => weighty", "differs"),
        (f"{CELL}/retrain.checkpoint", " => left", "is left over"),
        (f"{CELL}/.record.json.0a1b2c3d.tmp", " => left", "is left over"),
        ("index.html", "take conv => take local", "differs"),
    ],
)
def test_all_else_is(results: Path, name: str, text: str, difference: str):
    assert changed(results, name, text) == [f"{name} {difference}"]


def test_what_is_missing_and_other_arrays_are_differences(results: Path):
    assert changed(results, "cost.csv", " => ") == []
    copy = results.with_name("found")
    np.savez(copy / CELL / "predictions.npz", labels=np.arange(3)[::-1])
    (copy / "cost.csv").unlink()
    assert differences(results, copy) == ["cost.csv is missing", f"{CELL}/predictions.npz differs"]


def test_lasting_failures_are_torn_records_and_failures_by_what_was_computed(tmp_path: Path):
    failed = {"status": "failed", "error": {"type": "OSError", "message": "no space", "surroundings": True}}
    lasting = {"status": "failed", "error": {"type": "ValueError", "message": "not finite", "surroundings": False}}
    for model, text in {"a": json.dumps(failed), "b": json.dumps(lasting), "c": "{", "d": '{"status": "done"}'}.items():
        folder = tmp_path / "soak/digits" / model / "4M-s0"
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(text)
    assert sorted(lasting_failures(tmp_path)) == ["a lasting failure: ValueError: not finite", "record.json is torn"]


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        (mutations.changed_bytes, bytes(range(256))),
        (mutations.changed_lines, b"path,label\na.png,0\nb.png,1\n"),
        (mutations.changed_json, json.dumps(RECORD).encode()),
        (mutations.changed_yaml, b"schema: 1\nmodels: {a: {system: b}}\nseeds: [0, 1]\n"),
    ],
)
def test_changes_follow_from_their_seed_and_most_are_different(
    change: Callable[[bytes, random.Random], bytes], valid: bytes
):
    made = [change(valid, random.Random(seed)) for seed in range(60)]
    assert made == [change(valid, random.Random(seed)) for seed in range(60)]
    assert len({*made} - {valid}) > 45


def test_a_run_that_does_not_end_is_killed_with_all_below_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ran, "GIVEN_UP_AFTER", 0.01)
    log = tmp_path / "log.txt"
    log.write_text("so far")
    parent = subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"], start_new_session=True)
    deadline = time.monotonic() + 60
    while len(below := descendants(parent.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(below) == 2
    assert sorted(group(parent.pid)) == sorted([parent.pid, *below])
    end = ran.ended(parent, log)
    assert (end.code, end.said, end.faults) == (-9, "it does not end: so far", ["it does not end: so far"])
    while group(parent.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert group(parent.pid) == []


def test_a_program_that_ends_at_once_has_ended_and_one_that_has_ended_is_killed_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(warm, "SERVER", (sys.executable, "-c", SERVER))
    with warm.Warm(os.environ) as server:
        run = server.start(["quick"], tmp_path / "log.txt")
        assert run.wait(60) == 3
        ran.kill_group(run)


def test_what_a_run_said_is_judged_by_its_words():
    assert ran.Ran(1, "disk full: no space").faults == []
    assert ran.Ran(1, "a\nTraceback (most recent call last)\nb").faults == ["a | Traceback (most recent call last) | b"]


def test_resident_memory_is_that_of_this_process():
    before = resident_bytes()
    kept = bytearray(b"x" * 2**26)
    assert 2**25 < resident_bytes() - before < 2**27
    del kept


def test_figures_and_errors_are_told_in_a_line():
    assert told({"kills": 3, "share": 1 / 3, "state": "done"}) == "kills 3, share 0.3333, state done"
    with pytest.raises(ZeroDivisionError) as raised:
        _ = 1 // 0
    line = raised.traceback[0].lineno + 1
    said = "ZeroDivisionError: integer division or modulo by zero"
    assert error_text(raised.value) == f"{said} (test_soak_pieces.py:{line})"
