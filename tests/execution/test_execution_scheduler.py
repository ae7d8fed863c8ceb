"""Runs of whole suites with the fake system: kills, failures, other runners, signals."""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.fake_runs import CODE, essence, run

from trionet_bench.errors import StoreError, UsageError
from trionet_bench.execution import scheduler
from trionet_bench.execution.durations import Durations
from trionet_bench.execution.executors import local
from trionet_bench.execution.executors.local import ProgressSender, plan_resources
from trionet_bench.execution.plan import make_plan
from trionet_bench.execution.scheduler import Watcher
from trionet_bench.execution.session import Session, Workers
from trionet_bench.execution.worker import Outcome, logged
from trionet_bench.records import claims
from trionet_bench.records.owner import Owner
from trionet_bench.records.record import Record
from trionet_bench.records.store import file_digest, iter_records, read_record
from trionet_bench.suite.specification import load_suite

Write = Callable[..., Path]
HERE = Path(__file__).parent


class Listener(Watcher):
    """Remembers the ends."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, bool]] = []

    def ended(self, label: str, outcome: Outcome, left: int, seconds_left: float | None) -> None:
        self.ends.append((label, outcome.failure is None))


def lines(trace: Path) -> Counter[str]:
    return Counter(trace.read_text().splitlines())


@contextlib.contextmanager
def program(path: Path, results: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """``trionet-bench run`` as a program of its own, ended when the context is."""
    command = [sys.executable, "-m", "trionet_bench", "run", str(path), "--results", str(results)]
    command += ["--no-report", "--device", "cpu", "--jobs", "2", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, preexec_fn=_heed_interrupts) as process:
        try:
            yield process
        finally:
            process.kill()


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's jobs in the background ignore them


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_record_says_everything(suite_file: Write, tmp_path: Path):
    after = run(suite_file({"one": {"shared": True}}, seeds=[5], fidelity="smoke"), tmp_path)
    assert after.counts() == {"complete": 1, "failed": 0, "missing": 0, "stale": 0}
    folder = tmp_path / "fakes/digits/one/4M-s5"
    record = read_record(folder)
    assert record is not None
    assert (record.system, record.seed, record.fidelity) == ("fake", 5, "smoke")
    assert (record.code, record.command) == (CODE, "test")
    assert record.artifacts == {n: file_digest(folder / n) for n in ("architecture.json", "predictions.npz")}
    assert record.warnings == ["UserWarning: a warning of the fake"]
    assert record.determinism == {"deterministic_algorithms": True}
    assert record.data["source"] == "sklearn:digits"
    assert len(record.data["classes"]) == 10
    assert (record.environment.torch, record.peak_memory_bytes) == ("none", 1024)
    (name, item), *_ = record.inputs.items()
    phase = json.loads((tmp_path / "fakes" / item.path / "phase.json").read_text())
    assert (name, item.key, item.content) == ("fakenet", phase["key"], phase["content"])
    assert phase["facts"] == {"steps": 2}
    assert phase["timings"]["fakenet_s"] == 0.5
    assert phase["timings"]["phase_s"] > 0
    log = (folder / "log.txt").read_text()
    assert "on stdout of the worker" in log
    assert "on stderr of the worker" in log
    assert "a warning of the fake" in log
    assert sorted(path.name for path in folder.iterdir()) == [
        "architecture.json", "log.txt", "predictions.npz", "record.json"
    ]  # fmt: skip
    assert list((tmp_path / "fakes/.claims").iterdir()) == []


def test_content_of_a_phase_is_free_of_time(suite_file: Write, tmp_path: Path):
    def phase(results: Path, seconds: float) -> dict[str, Any]:
        run(suite_file({"one": {"shared": True, "seconds": seconds}}, seeds=[0]), results)
        (path,) = (results / "fakes/phases").glob("*/phase.json")
        value: dict[str, Any] = json.loads(path.read_text())
        return value

    fast, slow = phase(tmp_path / "a", 0.0), phase(tmp_path / "b", 0.1)
    assert fast["content"] == slow["content"]
    assert fast["timings"] != slow["timings"]


def test_a_second_run_does_nothing(suite_file: Write, tmp_path: Path):
    trace = tmp_path / "trace"
    path = suite_file({"a": {"trace": str(trace)}, "b": {"trace": str(trace), "shared": True}})
    run(path, tmp_path / "r")
    before = lines(trace)
    listener = Listener()
    run(path, tmp_path / "r", watcher=listener)
    assert lines(trace) == before
    assert listener.ends == []


def test_failures_cost_their_own_cell_only(suite_file: Write, tmp_path: Path):
    models: dict[str, dict[str, object]] = {
        "good": {},
        "raises": {"fault": "raise"},
        "dies": {"fault": "kill", "only_seed": 1},
        "full": {"fault": "memory", "only_seed": 0},
        "phase": {"shared": True, "fault": "phase"},
    }
    after = run(suite_file(models), tmp_path)
    states = {(cell.name.model, cell.name.seed): cell.state for cell in after.cells}
    assert {name for name, state in states.items() if state == "complete"} == {
        ("good", 0), ("good", 1), ("dies", 0), ("full", 1)
    }  # fmt: skip
    errors = {(r.model, r.seed): r.error for r in iter_records(tmp_path) if r.error}
    assert errors["raises", 0].message == "the loss is not finite"
    assert errors["raises", 0].type == "ValueError"
    assert "fake_system.py" in errors["raises", 0].traceback
    assert str(HERE.parent) not in errors["raises", 0].traceback
    assert "SIGKILL" in errors["dies", 1].message
    assert "memory" in errors["dies", 1].message
    assert "last words of a dying cell" in errors["dies", 1].traceback
    assert "--jobs" in errors["full", 0].message
    assert errors["phase", 0].message == "its shared phase fakenet failed: the shared part went wrong"
    again = make_plan(load_suite(suite_file(models)), tmp_path)
    assert {(c.name.model, c.name.seed): c.state for c in again.cells} == states


def test_failed_cells_are_run_again_only_when_asked(suite_file: Write, tmp_path: Path):
    trace = tmp_path / "trace"
    path = suite_file({"a": {"fault": "raise", "only_seed": 1, "trace": str(trace)}})
    run(path, tmp_path / "r")
    listener = Listener()
    run(path, tmp_path / "r", watcher=listener)
    assert listener.ends == []
    run(path, tmp_path / "r", watcher=listener, retry_failed=True)
    assert listener.ends == [("digits a 4M s1", False)]
    folder = tmp_path / "r/fakes/digits/a/4M-s1"
    assert len(list(folder.glob("record*.json"))) == 2


@pytest.mark.parametrize("fault", ["kill", "memory", "disk"])
def test_what_fails_by_its_surroundings_is_tried_again(
    suite_file: Write, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(scheduler, "_FIRST_WAIT", 0.01)
    undisturbed = run(suite_file({"a": {}}, seeds=[0]), tmp_path / "other").cells[0].record
    path = suite_file({"a": {"fault": fault, "times": 2, "trace": str(tmp_path / "trace")}}, seeds=[0])
    listener = Listener()
    after = run(path, tmp_path / "r", watcher=listener, retries=2)
    assert after.counts()["complete"] == 1
    assert listener.ends == [("digits a 4M s0", True)]
    assert [record.message.endswith("it is tried again in 0 s") for record in caplog.records] == [True, True]
    assert undisturbed is not None and after.cells[0].record is not None
    assert after.cells[0].record.metrics == undisturbed.metrics


@pytest.mark.parametrize("force", [False, True])
def test_a_kill_between_the_last_epoch_and_the_record_loses_no_training(
    suite_file: Write, tmp_path: Path, force: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scheduler, "_FIRST_WAIT", 0.01)
    trace = tmp_path / "trace"
    path = suite_file({"a": {"fault": "late", "times": 1, "trace": str(trace)}}, seeds=[0])
    assert run(path, tmp_path / "r", retries=1, force=force).counts()["complete"] == 1
    assert {line: count for line, count in lines(trace).items() if line.startswith("epoch")} == {
        "epoch 0 digits a 4000000 0": 1,
        "epoch 1 digits a 4000000 0": 1,
    }
    folder = tmp_path / "r/fakes/digits/a/4M-s0"
    assert [path.name for path in folder.iterdir() if path.suffix == ".checkpoint" or path.name == ".attempt"] == []


def test_what_a_kill_leaves_beside_a_record_is_swept(suite_file: Write, tmp_path: Path):
    path = suite_file({"a": {"shared": True}}, seeds=[0])
    run(path, tmp_path)
    folders = [tmp_path / "fakes/digits/a/4M-s0", *(tmp_path / "fakes/phases").iterdir()]
    for folder in folders:
        for name in (".attempt", "retrain.checkpoint"):
            (folder / name).touch()
    run(path, tmp_path)
    assert len(folders) == 2
    assert [name for folder in folders for name in (".attempt", "retrain.checkpoint") if (folder / name).exists()] == []


def test_a_number_that_no_record_can_hold_costs_its_own_cell_only(suite_file: Write, tmp_path: Path):
    after = run(suite_file({"a": {"fault": "nan"}, "b": {}}, seeds=[0]), tmp_path)
    assert after.counts() == {"complete": 1, "failed": 1, "missing": 0, "stale": 0}
    (failed,) = (record for record in iter_records(tmp_path) if record.error)
    assert failed.error is not None and not failed.error.surroundings


@pytest.mark.parametrize("fault", ["kill", "memory", "disk"])
def test_what_failed_by_its_surroundings_is_taken_up_by_a_plain_rerun(suite_file: Write, tmp_path: Path, fault: str):
    path = suite_file({"a": {"fault": fault, "times": 1, "trace": str(tmp_path / "trace")}, "b": {}}, seeds=[0])
    assert run(path, tmp_path / "r").counts() == {"complete": 1, "failed": 1, "missing": 0, "stale": 0}
    (record,) = (record for record in iter_records(tmp_path / "r") if record.error)
    assert record.error is not None and record.error.surroundings
    listener = Listener()
    assert run(path, tmp_path / "r", watcher=listener).counts()["complete"] == 2
    assert listener.ends == [("digits a 4M s0", True)]


def test_force_repeats_cells_but_not_phases_and_keeps_the_old_record(suite_file: Write, tmp_path: Path):
    trace = tmp_path / "trace"
    path = suite_file({"a": {"shared": True, "trace": str(trace)}}, seeds=[0])
    run(path, tmp_path / "r")
    before = essence(tmp_path / "r")
    run(path, tmp_path / "r", force=True)
    ends = {line.split()[1]: count for line, count in lines(trace).items() if line.startswith("end")}
    assert ends == {"phase": 1, "digits": 2}
    assert essence(tmp_path / "r") == before
    (earlier,) = (tmp_path / "r/fakes/digits/a/4M-s0").glob("record.*Z.json")
    assert Record.model_validate_json(earlier.read_bytes()).status == "complete"


def test_a_changed_suite_runs_again_without_what_was_left_of_the_old(suite_file: Write, tmp_path: Path):
    run(suite_file({"a": {"label": "old", "fault": "raise"}}, seeds=[0]), tmp_path)
    folder = tmp_path / "fakes/digits/a/4M-s0"
    assert (folder / ".attempt").exists()
    (folder / "retrain.checkpoint").write_text(json.dumps({"done": 1, "label": "old"}))
    (folder / "left.over").write_text("")
    after = run(suite_file({"a": {"label": "new"}}, seeds=[0]), tmp_path)
    assert after.cells[0].state == "complete"  # the fake fails on a checkpoint of another label
    assert not (folder / "left.over").exists()
    assert len(list(folder.glob("record.*Z.json"))) == 1


def test_a_new_phase_makes_its_cells_stale(suite_file: Write, tmp_path: Path):
    path = suite_file({"a": {"shared": True}}, seeds=[0])
    run(path, tmp_path)
    (phase,) = (tmp_path / "fakes/phases").glob("*/phase.json")
    phase.write_text(phase.read_text().replace(json.loads(phase.read_text())["content"], "f" * 64))
    assert make_plan(load_suite(path), tmp_path).cells[0].state == "stale"


def test_killed_at_any_moment_it_ends_with_the_same_results(suite_file: Write, tmp_path: Path):
    trace = tmp_path / "trace"
    options: dict[str, object] = {"seconds": 0.4, "epochs": 4}
    shared = options | {"shared": True}
    models = {"a": options, "b": shared | {"label": "b"}, "c": shared | {"label": "c"}}
    run(suite_file(models), tmp_path / "whole")
    traced = {name: values | {"trace": str(trace)} for name, values in models.items()}
    path = suite_file(traced)
    generator = random.Random(0)
    for _ in range(6):
        trace.touch()
        seen = trace.stat().st_size
        with program(path, tmp_path / "killed") as process:
            wait_for(lambda seen=seen: trace.stat().st_size > seen or process.poll() is not None)
            time.sleep(generator.uniform(0, 0.8))
            process.send_signal(signal.SIGKILL)
    with program(path, tmp_path / "killed") as process:
        process.communicate(timeout=60)
        assert process.returncode == 0
    whole, killed = essence(tmp_path / "whole"), essence(tmp_path / "killed")
    # The trace file is an option and so part of the key; all else must be equal.
    assert {cell: values[1:] for cell, values in whole.items()} == {cell: values[1:] for cell, values in killed.items()}
    assert len(killed) == 6
    ends = {line: count for line, count in lines(trace).items() if line.startswith("end")}
    assert len(ends) == 6 + 2
    epochs = {line: count for line, count in lines(trace).items() if line.startswith("epoch")}
    assert len(epochs) == (6 + 2) * 4
    # Per kill and worker at most the epoch that it was in, and one begun before it saw its runner die.
    assert sum(epochs.values()) - len(epochs) <= 6 * 2 * 2
    assert not list((tmp_path / "killed").rglob(".attempt"))


@pytest.mark.parametrize("quiet", [True, False])
def test_workers_end_with_their_runner_and_leave_no_record(suite_file: Write, tmp_path: Path, quiet: bool):
    trace = tmp_path / "trace"
    trace.touch()
    path = suite_file({"a": {"seconds": 60.0, "epochs": 600, "trace": str(trace), "quiet": quiet}})
    with program(path, tmp_path / "r") as process:
        wait_for(lambda: trace.stat().st_size > 0)
        process.kill()
        process.wait()
    time.sleep(0.5)
    written = trace.stat().st_size
    time.sleep(0.5)
    assert trace.stat().st_size == written
    assert list(iter_records(tmp_path / "r")) == []


def test_a_worker_that_cannot_tell_its_progress_ends_at_once():
    here, there = multiprocessing.Pipe(duplex=False)
    here.close()
    process = multiprocessing.get_context("fork").Process(target=ProgressSender(there), args=(1, 2, "nobody listens"))
    process.start()
    process.join(10)
    assert process.exitcode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_with_130_and_nothing_torn(suite_file: Write, tmp_path: Path, number: signal.Signals):
    trace = tmp_path / "trace"
    trace.touch()
    path = suite_file({"a": {"seconds": 60.0, "epochs": 600, "trace": str(trace)}})
    with program(path, tmp_path / "r") as process:
        wait_for(lambda: trace.stat().st_size > 0)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 130
    assert out == ""
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert list(iter_records(tmp_path / "r")) == []
    assert list((tmp_path / "r/fakes/.claims").iterdir()) == []


def test_two_runs_at_once_share_the_work(suite_file: Write, tmp_path: Path):
    trace = tmp_path / "trace"
    options: dict[str, object] = {"seconds": 0.3, "trace": str(trace)}
    models = {"a": options, "b": options | {"shared": True}, "c": options | {"fault": "raise"}}
    path = suite_file(models, seeds=[0, 1, 2])
    with program(path, tmp_path / "r", "--json") as first, program(path, tmp_path / "r", "--json") as second:
        answers = [json.loads(process.communicate(timeout=90)[0]) for process in (first, second)]
        assert (first.returncode, second.returncode) == (3, 3)
    for answer in answers:
        assert answer["counts"] == {"complete": 6, "failed": 3, "missing": 0, "stale": 0}
    assert {count for line, count in lines(trace).items() if line.startswith("end")} == {1}
    assert not list((tmp_path / "r").rglob("record.*Z.json"))


def test_what_another_runner_took_over_ends_here_and_is_taken_up_when_that_one_leaves_it(
    suite_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(claims, "HEARTBEAT", 0.02)
    trace = tmp_path / "trace"
    path = suite_file({"a": {"seconds": 2.0, "epochs": 20, "trace": str(trace)}}, seeds=[0])
    foreign = tmp_path / "r/fakes/.claims"

    class Intruder(Watcher):
        """Another runner, which takes the cell over once it is under way, and gives it back when it is waited for."""

        waited = False

        def advanced(self, label: str, done: int, total: int, message: str) -> None:
            (ours,) = foreign.glob("*.0")
            if not self.waited:
                ours.with_suffix(".1").write_bytes(replace(Owner.here(), host="elsewhere/boot").line(0))

        def waits(self, labels: list[str]) -> None:
            for claim in foreign.glob("*"):
                claim.unlink()
            self.waited = True

    watcher = Intruder()
    assert run(path, tmp_path / "r", watcher=watcher).counts()["complete"] == 1
    assert watcher.waited
    epochs = {line: count for line, count in lines(trace).items() if line.startswith("epoch")}
    assert len(epochs) == 20
    assert max(epochs.values()) <= 2  # the one that was under way at the time
    assert sum(epochs.values()) <= 21


def test_threads_do_not_follow_from_the_jobs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local, "available_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [each.threads for each in plan_resources(None, "cpu", None)] == [1] * 8
    assert [each.threads for each in plan_resources(3, "cpu", None)] == [1, 1, 1]
    assert [each.threads for each in plan_resources(16, "cpu", None)] == [1] * 16
    with pytest.raises(UsageError, match="--devices 2"):
        plan_resources(None, "cpu", 2)


@pytest.mark.parametrize(("asked", "threads"), [("3", 3), ("16", 8), ("1,2", 1), ("0", 1), ("many", 1), ("", 1)])
def test_a_worker_takes_as_many_threads_as_asked_for(asked: str, threads: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local, "available_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    for jobs in (1, 3):
        assert [each.threads for each in plan_resources(jobs, "cpu", None)] == [threads] * jobs
    assert len(plan_resources(None, "cpu", None)) == 8 // threads


def test_gpus_are_shared_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local, "available_cores", lambda: 8)
    monkeypatch.setattr(local, "places_of", lambda device: ["cuda:0", "cuda:1"])
    assert [(each.device, each.threads) for each in plan_resources(None, "auto", None)] == [
        ("cuda:0", 4),
        ("cuda:1", 4),
    ]
    assert [each.device for each in plan_resources(None, "auto", 1)] == ["cuda:0"]
    assert [each.device for each in plan_resources(4, "auto", None)] == ["cuda:0", "cuda:1"] * 2


def test_a_store_error_stops_the_run(suite_file: Write, tmp_path: Path):
    path = suite_file({"a": {}})
    (tmp_path / "fakes/digits").mkdir(parents=True)
    (tmp_path / "fakes/digits/a").write_text("a file where a folder must be")
    with pytest.raises(StoreError):
        run(path, tmp_path)


def test_a_store_error_that_passes_does_not(suite_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The folder that stands where the log must be is gone at the second try."""
    path, place = suite_file({"a": {}}, seeds=[0]), tmp_path / "fakes/digits/a/4M-s0/log.txt"
    place.mkdir(parents=True)
    monkeypatch.setattr(scheduler, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(scheduler._log, "warning", lambda *_: place.rmdir())
    assert run(path, tmp_path, retries=1).counts()["complete"] == 1


def test_a_full_disk_costs_the_log_and_nothing_else(capfd: pytest.CaptureFixture[str]):
    with logged(Path("/dev/full")):
        print("a line that cannot be written")
    print("after")
    assert capfd.readouterr().out == "after\n"


def test_what_takes_longest_starts_first(suite_file: Write, tmp_path: Path):
    # The first job also waits for the worker to start, which on a busy machine may take longer than the long one.
    models: dict[str, dict[str, object]] = {"first": {}, "short": {}, "long": {"seconds": 1.5}}
    run(suite_file(models, seeds=[0]), tmp_path, jobs=1)
    listener = Listener()
    run(suite_file(models, seeds=[0, 1]), tmp_path, jobs=1, watcher=listener)
    ends = [label for label, _ in listener.ends if "first" not in label]
    assert ends == ["digits long 4M s1", "digits short 4M s1"]


def test_estimates_go_from_the_like_to_the_unlike(suite_file: Write, tmp_path: Path):
    plan = make_plan(load_suite(suite_file({"a": {}, "b": {}}, budgets=["4M", "8M"])), tmp_path)
    jobs = {(c.name.model, c.name.budget, c.name.seed): c.job for c in plan.cells if c.job}
    durations = Durations(plan)
    assert durations.left(jobs.values(), 1) is None
    durations.learn(jobs["a", 4_000_000, 0], 2.0)
    durations.learn(jobs["a", 8_000_000, 0], 4.0)
    assert durations.expected(jobs["a", 4_000_000, 1]) == 2.0  # the same model and budget, another seed
    assert durations.expected(jobs["b", 4_000_000, 0]) is None
    assert durations.left([jobs["a", 4_000_000, 1], jobs["a", 8_000_000, 1]], slots=2) == 3.0


def test_everything_a_worker_says_is_in_the_log_and_nothing_after(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with logged(tmp_path / "log.txt"):
        os.write(1, b"from below python\n")
        print("from python")
    print("afterwards")
    assert (tmp_path / "log.txt").read_text() == "from below python\nfrom python\n"
    assert capfd.readouterr().out == "afterwards\n"


class Clock(Watcher):
    """Stands at 0 until a job has told three times of its progress, then at 100."""

    told = 0

    def monotonic(self) -> float:
        return 100.0 if self.told >= 3 else 0.0

    def advanced(self, label: str, done: int, total: int, message: str) -> None:
        self.told += 1


def test_a_run_ends_after_its_time_and_goes_on_the_next_time(
    suite_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trace = tmp_path / "trace"
    path = suite_file({"a": {"seconds": 300.0, "epochs": 600, "trace": str(trace)}}, seeds=[0, 1])

    def epochs() -> list[tuple[str, int]]:
        """Seed and epoch of each that was begun."""
        return [(line.split()[-1], int(line.split()[1])) for line in trace.read_text().splitlines()]

    for _ in range(2):
        session = Session.open(load_suite(path), tmp_path / "results", None)
        clock = Clock()
        monkeypatch.setattr(scheduler, "time", clock)
        after = session.run(Workers(1, "cpu"), clock, CODE, "test", None, seconds=50)
        assert after.plan.counts() == {"complete": 0, "failed": 0, "missing": 2, "stale": 0}
        assert after.exit_code == 3
    assert {seed for seed, _ in epochs()} == {"0"}  # the second was not begun
    begun = [epoch for _, epoch in epochs()]
    assert len(begun) - len(set(begun)) <= 1  # the second run went on, and repeated the epoch that was cut off at most
    assert max(begun) >= 2


@pytest.mark.parametrize(
    ("jobs", "first"),
    [
        (1, ["digits alone 4M s0", "digits other 4M s0", "digits mix fakenet s0"]),
        (2, ["digits alone 4M s0", "digits mix fakenet s0", "digits mix fakenet s1"]),
    ],
)
def test_a_first_accuracy_comes_before_the_phases(suite_file: Write, tmp_path: Path, jobs: int, first: list[str]):
    class Starts(Watcher):
        def __init__(self) -> None:
            self.labels: list[str] = []

        def began(self, label: str) -> None:
            self.labels.append(label)

    seeds = [0, 1] if jobs == 2 else [0]
    path = suite_file({"mix": {"shared": True, "seconds": 0.3}, "alone": {"seconds": 0.1}, "other": {}}, seeds=seeds)
    starts = Starts()
    run(path, tmp_path, jobs=jobs, watcher=starts)
    assert starts.labels[:3] == first


def test_a_record_says_whether_its_recipe_was_a_quick_one(suite_file: Write, tmp_path: Path):
    models: dict[str, dict[str, object]] = {"quick": {}, "full": {"recipe": {"base": "small", "epochs": 3}}}
    run(suite_file(models, seeds=[0]), tmp_path / "a")
    assert {r.model: r.fidelity for r in iter_records(tmp_path / "a")} == {"quick": "quick", "full": "full"}
    run(suite_file(models, seeds=[0], fidelity="smoke"), tmp_path / "b")
    assert {r.fidelity for r in iter_records(tmp_path / "b")} == {"smoke"}
