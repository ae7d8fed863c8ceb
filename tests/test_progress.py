import io
import subprocess
import sys

import pytest

from trionet_bench.progress import Progress


class StoppedClock:
    """A clock that stands until a test moves it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_at_intervals_with_the_time_left_and_at_the_end():
    stream, clock = io.StringIO(), StoppedClock()
    with Progress(stream, interval=10, clock=clock) as progress:
        task = progress.task("conv 4M seed 0", total=5)
        for step in range(1, 6):
            clock.now = 6.0 * step
            task.advance(note=f"loss {step}")
    # reports at 6, 12, 18, 24, 30 s; lines are due at 12 and 24 s, one step takes 6 s
    assert stream.getvalue().splitlines() == [
        "conv 4M seed 0: 2/5, 18.0 s left (loss 2)",
        "conv 4M seed 0: 4/5, 6.0 s left (loss 4)",
        "conv 4M seed 0: done in 30.0 s (loss 5)",
    ]


def test_the_pace_of_a_resumed_task_leaves_out_the_steps_before():
    clock = StoppedClock()
    task = Progress(io.StringIO(), clock=clock).task("resumed", total=100)
    task(91, 100, "")
    assert task.seconds_left() is None
    clock.now = 8.0
    task(95, 100, "")
    assert task.seconds_left() == 10.0  # four steps took 8 s, five are left


def test_a_task_ends_once():
    stream = io.StringIO()
    with Progress(stream, clock=StoppedClock()) as progress:
        task = progress.task("cell", total=2)
        task.finish("94.1 %")
        task.finish()
    assert stream.getvalue() == "cell: done in 0.0 s (94.1 %)\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_bars_and_no_color_is_honoured(monkeypatch, no_color, coloured):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    stream = Terminal()
    with Progress(stream) as progress:
        task = progress.task("cell [1]", total=3)
        task.advance()
        progress.bars.refresh()
        task.finish()
    shown = stream.getvalue()
    assert "cell [1]" in shown
    assert "1/3" in shown
    assert "cell [1]: done in" in shown
    assert ("\x1b[3" in shown or "\x1b[9" in shown) is coloured


def test_without_a_terminal_rich_is_not_imported():
    code = (
        "import sys; from trionet_bench.progress import Progress\n"
        "with Progress() as p: p.task('x', 1).finish()\n"
        "print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert done.stderr.startswith("x: done in ")
