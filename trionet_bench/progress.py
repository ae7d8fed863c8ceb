"""How far long work has come, on stderr: bars with the time left on a terminal, plain lines where output is kept.

``NO_COLOR`` is honoured. rich is imported only when a bar is drawn.
"""

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from trionet_bench.units import duration

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class Progress:
    """The tasks under way, as a context manager.

    Args:
        stream: where to write; standard error by default.
        interval: without a terminal, each task writes at most one line in so many seconds, and one when it ends.
    """

    def __init__(self, stream: TextIO | None = None, interval: float = 10.0) -> None:
        self.stream = stream or sys.stderr
        self.interval = interval
        self.bars: Bars | None = None

    def __enter__(self) -> Self:
        if self.stream.isatty() and os.environ.get("TERM") != "dumb":
            self.bars = _bars(self.stream)
            self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bars is not None:
            self.bars.stop()

    def task(self, label: str, total: int) -> "Task":
        """A new task of ``total`` steps."""
        return Task(self, label, total)

    def say(self, line: str) -> None:
        """One line of text, above the bars where there are any."""
        if self.bars is not None:
            self.bars.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=self.stream, flush=True)


class Task:
    """One piece of work. It can be called like the ``progress`` of a training loop: (steps done, all steps, text)."""

    def __init__(self, progress: Progress, label: str, total: int) -> None:
        self.progress = progress
        self.label = label
        self.total = total
        self.done = 0
        self.note = ""
        self.finished = False
        self.began = self.told = time.monotonic()
        self.first: tuple[int, float] | None = None  # steps and time at the first report; a resumed task begins late
        self.bar: TaskID | None = None
        if progress.bars is not None:
            self.bar = progress.bars.add_task(label, total=total, note="")

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Sets how much is done; the task ends when that is all."""
        self.done, self.total, self.note = done, total, note
        if self.first is None:
            self.first = done, time.monotonic()
        self._show()

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """``steps`` more are done."""
        self(self.done + steps, self.total, self.note if note is None else note)

    def finish(self, note: str | None = None) -> None:
        """Ends the task, whatever was done of it."""
        self(self.total, self.total, self.note if note is None else note)

    def seconds_left(self) -> float | None:
        """At the pace since the first report; None before the second."""
        if self.first is None or self.done <= self.first[0]:
            return None
        pace = (time.monotonic() - self.first[1]) / (self.done - self.first[0])
        return pace * (self.total - self.done)

    def _show(self) -> None:
        ends = self.done >= self.total and not self.finished
        self.finished = self.done >= self.total
        if self.progress.bars is not None and self.bar is not None:
            self.progress.bars.update(
                self.bar, completed=self.done, total=self.total, note=self.note, visible=not self.finished
            )
        now = time.monotonic()
        if ends:
            self.progress.say(self._line(f"done in {duration(now - self.began)}"))
        elif self.progress.bars is None and not self.finished and now - self.told >= self.progress.interval:
            left = self.seconds_left()
            pace = "" if left is None else f", {duration(left)} left"
            self.progress.say(self._line(f"{self.done}/{self.total}{pace}"))
            self.told = now

    def _line(self, state: str) -> str:
        return f"{self.label}: {state}" + (f" ({self.note})" if self.note else "")


def _bars(stream: TextIO) -> "Bars":
    # Here, since a command whose output goes to a file never draws a bar.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    return Bars(*columns, console=Console(file=stream), transient=True)
