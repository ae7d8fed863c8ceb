"""Progress of long work on stderr: bars with the time left on a terminal, plain lines elsewhere.

``NO_COLOR`` is honoured. rich is imported only when a bar is drawn.
"""

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from trionet_bench.terminal import visible
from trionet_bench.units import duration

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class Progress:
    """The tasks in progress, as a context manager.

    Args:
        stream: where to write; standard error by default.
        interval: seconds between two lines of a task where there is no terminal; its end is always written.
        clock: seconds that never go back.
    """

    def __init__(
        self, stream: TextIO | None = None, interval: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.stream = stream or sys.stderr
        self.interval = interval
        self.clock = clock
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

    def task(self, label: str, total: int, shows_left: bool = True) -> "Task":
        """Add a task of ``total`` steps."""
        return Task(self, label, total, shows_left)

    def say(self, line: str) -> None:
        """Write one line of text, above the bars where there are any."""
        line = visible(line)
        if self.bars is not None:
            self.bars.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=self.stream, flush=True)


class Task:
    """One piece of work, to be called with the number of steps done, the number of all steps, and a note.

    ``shows_left`` is False where the note says how long the rest may take.
    """

    def __init__(self, progress: Progress, label: str, total: int, shows_left: bool = True) -> None:
        self.progress = progress
        self.label = visible(label)
        self.total = total
        self.shows_left = shows_left
        self.done = 0
        self.note = ""
        self.finished = False
        self.began = self.last_line = progress.clock()
        self.first: tuple[int, float] | None = None  # steps and time of the first call: a resumed task starts above 0
        self.bar: TaskID | None = None
        if progress.bars is not None:
            self.bar = progress.bars.add_task(self.label, total=total, note="", left="")

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Set the number of steps done; the task ends when it reaches ``total``."""
        self.done, self.total, self.note = done, total, visible(note)
        if self.first is None:
            self.first = done, self.progress.clock()
        self._show()

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """Add to the number of steps done."""
        self(self.done + steps, self.total, self.note if note is None else note)

    def finish(self, note: str | None = None) -> None:
        """End the task, whatever the number of steps done."""
        self(self.total, self.total, self.note if note is None else note)

    def seconds_left(self) -> float | None:
        """Estimated from the pace since the first call; None before the second call."""
        if self.first is None or self.done <= self.first[0]:
            return None
        pace = (self.progress.clock() - self.first[1]) / (self.done - self.first[0])
        return pace * (self.total - self.done)

    def _show(self) -> None:
        ends = self.done >= self.total and not self.finished
        self.finished = self.done >= self.total
        if self.progress.bars is not None and self.bar is not None:
            left = self.seconds_left() if self.shows_left else None
            self.progress.bars.update(
                self.bar,
                completed=self.done,
                total=self.total,
                note=self.note,
                left="" if left is None else f"{duration(left)} left",
                visible=not self.finished,
            )
        now = self.progress.clock()
        if ends:
            self.progress.say(self._line(f"done in {duration(now - self.began)}"))
        elif self.progress.bars is None and not self.finished and now - self.last_line >= self.progress.interval:
            left = self.seconds_left()
            pace = "" if left is None else f", {duration(left)} left"
            self.progress.say(self._line(f"{self.done}/{self.total}{pace}"))
            self.last_line = now

    def _line(self, state: str) -> str:
        return f"{self.label}: {state}" + (f" ({self.note})" if self.note else "")


def _bars(stream: TextIO) -> "Bars":
    # Imported here: rich is slow to import, and most runs draw no bar.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        TextColumn("{task.fields[note]}", markup=False),
    )
    return Bars(*columns, console=Console(file=stream), transient=True)
