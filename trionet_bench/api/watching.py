"""Progress of a run on stderr."""

import time

from trionet_bench.execution.scheduler import Watcher
from trionet_bench.execution.worker import Outcome
from trionet_bench.progress import Progress
from trionet_bench.units import counted, duration

_INTERVAL = 60.0  # seconds between lines about running jobs where there is no terminal


class ProgressWatcher(Watcher):
    """A line on stderr for each job that ended, and in between the progress of the running ones.

    Args:
        title: label of the bar on a terminal.
        jobs: how many jobs the run has.
        cells: how many cells the study has.
    """

    def __init__(self, progress: Progress, title: str, jobs: int, cells: int) -> None:
        self.progress = progress
        self.overall = progress.task(title, jobs, shows_left=False) if progress.bars is not None else None
        self.under_way: dict[str, str] = {}
        self.last_line = time.monotonic()
        self.said_waiting = False
        self.cells = cells
        self.state = counted(cells, "cell")

    def began(self, label: str) -> None:
        """One more job is under way."""
        self.under_way[label] = label
        self._show()

    def advanced(self, label: str, done: int, total: int, message: str) -> None:
        """How far a job has come, and in which of its steps."""
        self.under_way[label] = f"{label} {message.partition(':')[0]} {done / max(total, 1):.0%}"
        self._show()

    def ended(self, label: str, outcome: Outcome, left: int, seconds_left: float | None) -> None:
        """One line for the job."""
        self.under_way.pop(label, None)
        rest = f"; {left} left" if left else ""
        if left and seconds_left is not None:
            rest += f", about {duration(seconds_left)}"
        took = duration(outcome.seconds)
        if outcome.failure is not None:
            self.progress.say(f"{label}: failed after {took}: {outcome.failure.message.rstrip('.')}{rest}")
        else:
            self.progress.say(f"{label}: done in {took}{_measured(outcome)}{rest}")
        if self.overall is not None:
            self.overall(self.overall.total - left, self.overall.total, self.overall.note)

    def remains(self, cells: int, seconds: float | None) -> None:
        """Shown by the bar at once, without a terminal in a line a minute."""
        self.state = f"{cells} of {counted(self.cells, 'cell')} done"
        if seconds is not None:
            self.state += f", about {duration(seconds)} left"
        self._show()

    def waits(self, labels: list[str]) -> None:
        """Says so once."""
        if not self.said_waiting:
            self.progress.say(f"waiting for another run on these results to finish {', '.join(labels)}")
            self.said_waiting = True

    def _show(self) -> None:
        note = f"{self.state}; under way: {', '.join(self.under_way.values())}"
        if self.overall is not None:
            self.overall.advance(0, note)
        elif time.monotonic() - self.last_line >= _INTERVAL:
            self.progress.say(note)
            self.last_line = time.monotonic()


class Watchers(Watcher):
    """Several that hear the same."""

    def __init__(self, *watchers: Watcher) -> None:
        self.watchers = watchers

    def began(self, label: str) -> None:
        """Told to all."""
        for watcher in self.watchers:
            watcher.began(label)

    def advanced(self, label: str, done: int, total: int, message: str) -> None:
        """Told to all."""
        for watcher in self.watchers:
            watcher.advanced(label, done, total, message)

    def ended(self, label: str, outcome: Outcome, left: int, seconds_left: float | None) -> None:
        """Told to all."""
        for watcher in self.watchers:
            watcher.ended(label, outcome, left, seconds_left)

    def remains(self, cells: int, seconds: float | None) -> None:
        """Told to all."""
        for watcher in self.watchers:
            watcher.remains(cells, seconds)

    def waits(self, labels: list[str]) -> None:
        """Told to all."""
        for watcher in self.watchers:
            watcher.waits(labels)


def _measured(outcome: Outcome) -> str:
    """The primary metric on the test part, where the job has it."""
    if outcome.task is None or (value := outcome.metrics.get(f"test_{outcome.task.primary.name}")) is None:
        return ""
    metric = outcome.task.primary
    return f", test {metric.label} {f'{100 * value:.2f} %' if metric.unit == 'fraction' else f'{value:.4g}'}"
