"""What is told of a run on stderr."""

import io

import pytest

from trionet_bench.api import watching
from trionet_bench.api.watching import ProgressWatcher
from trionet_bench.progress import Progress


def test_without_a_terminal_a_line_a_minute_says_how_it_stands(monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with Progress(stream) as progress:
        watcher = ProgressWatcher(progress, "quickstart", jobs=30, cells=25)
        watcher.began("digits conv 3M s0")
        for second in range(0, 125, 5):
            now[0] = float(second)
            watcher.remains(second // 50, 300.0 - second)
    assert stream.getvalue().splitlines() == [
        "1 of 25 cells done, about 4 min 0 s left; under way: digits conv 3M s0",
        "2 of 25 cells done, about 3 min 0 s left; under way: digits conv 3M s0",
    ]
