"""Metrics as they come: one interface for whatever shows runs, with adapters for CSV, TensorBoard and Weights & Biases.

The rows are those of the history files that workers write, so that every executor has them, and nothing that is
computed depends on who looks.
"""

import csv
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from trionet_bench.errors import StoreError, UsageError, nearest
from trionet_bench.execution.jobs import Job
from trionet_bench.execution.scheduler import Watcher
from trionet_bench.execution.worker import Outcome
from trionet_bench.extras import install_command
from trionet_bench.records.layout import HISTORY
from trionet_bench.training.history import HistoryRow, read_history

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_INTERVAL = 1.0  # seconds between two looks at the history of a job
_COUNTERS = ("phase", "epoch", "step")


class MetricLogger(ABC):
    """Hears what training measures. Give instances of it to ``run`` and ``compare`` as ``loggers``.

    Methods are called in the process that started the run, from one thread. An error in one of them ends the run.
    """

    @abstractmethod
    def epoch(self, job: str, row: HistoryRow) -> None:
        """An epoch is over.

        Args:
            job: data set, model, budget and seed of the cell, or data set, model, phase and seed.
            row: ``phase``, ``epoch`` (from 1), ``step``, ``lr``, ``train_loss``, further metrics of train and val,
                ``seconds``, ``images_per_s``.
        """

    @abstractmethod
    def finished(self, job: str, metrics: Mapping[str, float]) -> None:
        """A job is done; ``metrics`` are those of its record, such as ``test_top1``."""

    def close(self) -> None:  # noqa: B027  most have nothing to close
        """The run is over, whichever way."""


class CsvLogger(MetricLogger):
    """Appends to a CSV file, a line for each value: job, phase, epoch, step, metric, value."""

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            begins = not path.exists() or not path.stat().st_size
            self._file = path.open("a", newline="", encoding="utf-8", buffering=1)
        except OSError as error:
            raise StoreError(f"{path} could not be written: {error.strerror or error}.") from error
        self._writer = csv.writer(self._file)
        if begins:
            self._writer.writerow(["job", *_COUNTERS, "metric", "value"])

    def epoch(self, job: str, row: HistoryRow) -> None:
        """A line for each value of the row."""
        counters = [row.get(name, "") for name in _COUNTERS]
        self._writer.writerows([job, *counters, name, value] for name, value in _values(row))

    def finished(self, job: str, metrics: Mapping[str, float]) -> None:
        """A line for each metric, without an epoch."""
        self._writer.writerows([job, "result", "", "", name, value] for name, value in metrics.items())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorBoardLogger(MetricLogger):
    """Event files for ``tensorboard --logdir FOLDER``, a run for each job, a group of charts for each phase.

    UsageError without the package ``tensorboard``.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter  # slow to import, and rarely wanted
        except ImportError as error:
            raise UsageError(f"tensorboard is not installed; {install_command('tensorboard')}") from error
        self._folder, self._make = Path(folder), SummaryWriter
        self._writers: dict[str, SummaryWriter] = {}

    def epoch(self, job: str, row: HistoryRow) -> None:
        """A point of every chart of the phase, at the step."""
        writer = self._writer(job)
        for name, value in _values(row):
            writer.add_scalar(f"{row['phase']}/{name}", value, int(row["step"]))
        writer.flush()

    def finished(self, job: str, metrics: Mapping[str, float]) -> None:
        """A point of the charts of results."""
        writer = self._writer(job)
        for name, value in metrics.items():
            writer.add_scalar(f"result/{name}", value, 0)
        writer.close()
        del self._writers[job]

    def _writer(self, job: str) -> "SummaryWriter":
        """That of a job, made at its first point: it opens a file."""
        if job not in self._writers:
            self._writers[job] = self._make(str(self._folder / job.replace(" ", "/")))
        return self._writers[job]

    def close(self) -> None:
        """Close the files of jobs that are not done."""
        for writer in self._writers.values():
            writer.close()


class WandbRun(Protocol):
    """What is used of a run of Weights & Biases."""

    def log(self, data: dict[str, float]) -> None:
        """Takes the values of one step."""

    def finish(self) -> None:
        """Ends the run."""


class StartWandb(Protocol):
    """``wandb.init``."""

    def __call__(self, *, project: str, name: str, group: str, reinit: str) -> WandbRun:
        """Starts a run."""


class WandbLogger(MetricLogger):
    """A run of Weights & Biases for each job, grouped by suite.

    Args:
        project: of Weights & Biases.
        group: such as the name of the suite.
        init: ``wandb.init`` where none is given; UsageError without the package ``wandb``.
    """

    def __init__(self, project: str = "trionet_bench", group: str = "", init: StartWandb | None = None) -> None:
        if init is None:
            try:
                import wandb  # an extra
            except ImportError as error:
                raise UsageError(f"wandb is not installed; {install_command('wandb')}") from error
            init = wandb.init
        self._init, self._project, self._group = init, project, group
        self._runs: dict[str, WandbRun] = {}

    def _run(self, job: str) -> WandbRun:
        if job not in self._runs:
            self._runs[job] = self._init(project=self._project, name=job, group=self._group, reinit="create_new")
        return self._runs[job]

    def epoch(self, job: str, row: HistoryRow) -> None:
        """The values under the name of the phase."""
        phase = row["phase"]
        counters = {f"{phase}/{name}": row[name] for name in ("epoch", "step")}
        self._run(job).log(counters | {f"{phase}/{name}": value for name, value in _values(row)})

    def finished(self, job: str, metrics: Mapping[str, float]) -> None:
        """The results, and the end of the job's run."""
        run = self._run(job)
        run.log({f"result/{name}": value for name, value in metrics.items()})
        run.finish()
        del self._runs[job]

    def close(self) -> None:
        """End the runs of jobs that are not done."""
        for run in self._runs.values():
            run.finish()


NAMES = ("csv", "tensorboard", "wandb")
Logger: TypeAlias = MetricLogger | str


def make_loggers(loggers: Sequence[Logger], suite: str, reports: Path) -> list[MetricLogger]:
    """Loggers from their names; those that are made already are passed on. UsageError for an unknown name.

    Files go to the suite's folder of reports: ``metrics.csv`` and ``tensorboard/``.
    """
    return [each if isinstance(each, MetricLogger) else _named(each, suite, reports / suite) for each in loggers]


def _named(name: str, suite: str, folder: Path) -> MetricLogger:
    match name:
        case "csv":
            return CsvLogger(folder / "metrics.csv")
        case "tensorboard":
            return TensorBoardLogger(folder / "tensorboard")
        case "wandb":
            return WandbLogger(group=suite)
    raise UsageError(f'there is no logger "{name}"; {nearest(name, NAMES)}')


class MetricsWatcher(Watcher):
    """Follows the history files of jobs under way, and tells loggers of each epoch once.

    A job that goes on after an interruption is told from its first epoch on.

    Args:
        jobs: those of the run.
    """

    def __init__(self, jobs: Iterable[Job], loggers: Sequence[MetricLogger]) -> None:
        self._folders = {job.label: job.folder for job in jobs}
        self._loggers = loggers
        self._told: dict[str, set[tuple[str, int]]] = {}
        self._looked: dict[str, float] = {}

    def advanced(self, label: str, done: int, total: int, message: str) -> None:
        """Look for further epochs now and then."""
        if time.monotonic() - self._looked.get(label, 0.0) >= _INTERVAL:
            self._look(label)

    def ended(self, label: str, outcome: Outcome, left: int, seconds_left: float | None) -> None:
        """The last epochs, and the metrics of a cell that is done."""
        self._look(label)
        if outcome.failure is None:
            for logger in self._loggers:
                logger.finished(label, outcome.metrics)

    def _look(self, label: str) -> None:
        self._looked[label] = time.monotonic()
        told = self._told.setdefault(label, set())
        with suppress(FileNotFoundError):  # a worker that goes on writes the file anew
            for row in read_history(self._folders[label] / HISTORY):
                if (at := (str(row["phase"]), int(row["epoch"]))) not in told:
                    told.add(at)
                    for logger in self._loggers:
                        logger.epoch(label, row)


def _values(row: HistoryRow) -> list[tuple[str, float]]:
    """What was measured, without what counts."""
    return [(name, value) for name, value in row.items() if name not in _COUNTERS and isinstance(value, int | float)]
