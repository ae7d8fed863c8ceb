"""Where the time of a study goes: parts by hand; the suite that is run, and its MACs."""

from pathlib import Path

import pytest

from trionet_bench.benchmarks import study
from trionet_bench.benchmarks.opened_suites import write_suite
from trionet_bench.benchmarks.processes import Usage
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.benchmarks.study import measure, rows_of, seconds_by_part, targets
from trionet_bench.benchmarks.suite import TINY
from trionet_bench.records.phase import PhaseRecord
from trionet_bench.records.record import Record

START = "2026-01-01T00:00:00+00:00"


def record(seconds: int, timings: dict[str, float], inputs: dict[str, object] | None = None) -> Record:
    finished = f"2026-01-01T00:00:{seconds:02}+00:00"
    return Record.model_construct(timings=timings, inputs=inputs or {}, started=START, finished=finished)


def test_parts_by_hand():
    supernet = PhaseRecord.model_construct(timings={"phase_s": 21.0, "supernet_s": 20.0})
    records = [
        record(10, {"retrain_s": 6.0, "evaluate_s": 1.0}),
        record(15, {"retrain_s": 5.0, "search_s": 4.0, "supernet_s": 20.0}, {"supernet": object()}),
    ]
    parts = seconds_by_part(records, [supernet], 60.0)
    # jobs take 21 + 10 + 15 = 46 s, of which 36 are named; two workers for 30 s have 60
    assert parts == {"supernet": 20, "retrain": 11, "search": 4, "evaluate": 1, "jobs besides": 10, "no job": 14}
    rows = rows_of(parts, {"retrain": 3e9, "supernet": 1e9})
    assert [row["case"] for row in rows][:2] == ["supernet", "no job"]
    assert rows[-1] == {"case": "all", "median_ms": 60_000, "macs": 4e9, "share_of_time": 1.0}
    assert rows[0]["share_of_time"] == pytest.approx(1 / 3)


def test_the_target_is_that_of_the_whole_study():
    rows = [{"case": "retrain", "share_of_float32_peak": 0.3}, {"case": "all", "share_of_float32_peak": 0.08}]
    assert [(target.measured, target.met) for target in targets(rows)] == [(0.08, False)]


def test_the_program_runs_the_suite_and_the_rows_say_what_it_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    commands: list[list[str]] = []

    def run(command: list[str]) -> Usage:
        commands.append(command)
        return Usage(seconds=0.5)

    monkeypatch.setattr(study, "run_watched", run)
    models = {"conv": {"system": "standalone", "operator": "conv"}, "local": None, "axial": None, "trionet": None}
    models |= {"random": None}
    suite = write_suite(tmp_path, {**TINY, "models": models, "comparisons": [], "seeds": [0]})
    lines: list[str] = []
    found = measure(Setting("cpu", samples=1), lambda done, total, line: lines.append(line), suite=str(suite))
    assert commands[0][1:5] == ["-m", "trionet_bench", "run", str(suite)]
    (row,) = (row for row in found["cases"] if row["case"] == "all")
    # of 100 images 20 test, 8 validate and 72 train, once, forward and backward, at 3 M MACs
    assert row["macs"] == 3_000_000 * (3 * 72 + 28)
    assert row["median_ms"] == 500 * row["workers"]
    assert "of the peak" in lines[-1]
