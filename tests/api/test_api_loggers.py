"""Metrics as they come: rows of history files reach every logger once."""

import csv
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trionet_bench.api.loggers import (
    CsvLogger,
    MetricLogger,
    MetricsWatcher,
    TensorBoardLogger,
    WandbLogger,
    make_loggers,
)
from trionet_bench.errors import UsageError
from trionet_bench.execution.worker import Outcome
from trionet_bench.training.history import HistoryRow, append_row, restart_phase

CELL = "digits conv 3M s0"
ROWS: list[HistoryRow] = [
    {"phase": "retrain", "epoch": n, "step": 10 * n, "lr": 0.1 / n, "train_loss": 2.0 / n, "val_top1": 0.25 * n}
    for n in (1, 2, 3)
]
RESULT = {"test_top1": 0.75}


class Heard(MetricLogger):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.epochs: list[tuple[str, HistoryRow]] = []
        self.results: list[tuple[str, Mapping[str, float]]] = []

    def epoch(self, job: str, row: HistoryRow) -> None:
        self.epochs.append((job, row))

    def finished(self, job: str, metrics: Mapping[str, float]) -> None:
        self.results.append((job, metrics))


def outcome(failed: bool = False) -> Outcome:
    return SimpleNamespace(failure="it failed" if failed else None, metrics=RESULT)  # type: ignore[return-value]


def watcher(folder: Path, *loggers: MetricLogger) -> MetricsWatcher:
    job = SimpleNamespace(label=CELL, folder=folder)
    return MetricsWatcher([job], loggers)  # type: ignore[list-item]


def test_each_epoch_is_told_once_also_after_a_file_was_written_anew(tmp_path: Path):
    heard = Heard()
    follows = watcher(tmp_path, heard)
    follows.advanced(CELL, 0, 30, "")  # no file yet
    append_row(tmp_path / "history.jsonl", ROWS[0])
    follows.ended(CELL, outcome(failed=True), 1, None)
    restart_phase(tmp_path / "history.jsonl", "retrain", ROWS[:1])  # as an attempt that goes on
    for row in ROWS[1:]:
        append_row(tmp_path / "history.jsonl", row)
    follows.ended(CELL, outcome(), 0, None)
    assert heard.epochs == [(CELL, row) for row in ROWS]
    assert heard.results == [(CELL, RESULT)]  # of the attempt that did not fail


def told(logger: MetricLogger) -> None:
    for row in ROWS:
        logger.epoch(CELL, row)
    logger.finished(CELL, RESULT)
    logger.close()


def test_csv_has_a_line_for_each_value_and_is_gone_on_with(tmp_path: Path):
    for _ in range(2):
        told(CsvLogger(tmp_path / "deep" / "metrics.csv"))
    with (tmp_path / "deep" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (3 * 3 + 1)
    losses = [(row["epoch"], row["step"], row["value"]) for row in rows if row["metric"] == "train_loss"]
    assert losses[:3] == [("1", "10", "2.0"), ("2", "20", "1.0"), ("3", "30", str(2 / 3))]
    assert rows[9] == {
        "job": CELL, "phase": "result", "epoch": "", "step": "", "metric": "test_top1", "value": "0.75"
    }  # fmt: skip


def test_tensorboard_shows_a_run_for_each_job(tmp_path: Path):
    told(TensorBoardLogger(tmp_path))
    events = EventAccumulator(str(tmp_path / "digits/conv/3M/s0")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("retrain/val_top1")] == [
        (10, 0.25),
        (20, 0.5),
        (30, 0.75),
    ]
    assert [event.value for event in events.Scalars("result/test_top1")] == [0.75]
    assert len([*tmp_path.rglob("events.*")]) == 1


def test_weights_and_biases_get_a_run_for_each_job():
    log: list[object] = []

    def init(**about: str) -> object:
        log.append(about)
        return SimpleNamespace(log=log.append, finish=lambda: log.append("finished"))

    told(WandbLogger("mine", "digits", init))  # type: ignore[arg-type]
    assert log[0] == {"project": "mine", "name": CELL, "group": "digits", "reinit": "create_new"}
    first = {"retrain/epoch": 1, "retrain/step": 10, "retrain/lr": 0.1, "retrain/train_loss": 2.0}
    assert log[1] == first | {"retrain/val_top1": 0.25}
    assert log[-2:] == [{"result/test_top1": 0.75}, "finished"]
    assert log.count("finished") == 1


def test_loggers_are_made_from_names(tmp_path: Path):
    own = Heard()
    made = make_loggers([own, "csv"], "digits", tmp_path)
    assert made[0] is own
    assert (tmp_path / "digits" / "metrics.csv").is_file()
    with pytest.raises(UsageError, match='no logger "tensorbord"; did you mean "tensorboard"'):
        make_loggers(["tensorbord"], "digits", tmp_path)
