"""The processor time that a program and its workers use while it runs, on Linux."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

INTERVAL = 0.1  # seconds between two points


@dataclass
class Usage:
    """A program that ran.

    Args:
        points: (time, processor seconds, workers that exist) about every ``INTERVAL``.
        seconds: from start to end.
    """

    points: list[tuple[float, float, int]] = field(default_factory=list)
    seconds: float = 0.0

    def busy(self, cores: int, at_once: int) -> list[float]:
        """Processor time over time and cores while at least ``at_once`` workers existed: one number, or no number where
        it is unknown.

        The time of processes is lost when they have ended and no parent is left that waited for them.
        """
        within = [point for point in self.points if point[2] >= at_once]
        if len(within) < 2 or within[-1][0] - within[0][0] < 10 * INTERVAL:
            return []
        used = max(point[1] for point in within) - within[0][1]
        return [used / (within[-1][0] - within[0][0]) / cores]


def run_watched(command: Sequence[str]) -> Usage:
    """Run a program; RuntimeError, with the end of its output, where its exit code is not 0."""
    usage = Usage()
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(process.pid, usage, over))
    watch.start()
    _, errors = process.communicate()
    usage.seconds = time.perf_counter() - start
    over.set()
    watch.join()
    if process.returncode:
        raise RuntimeError(f"the program ended with exit code {process.returncode}: {errors[-500:]}")
    return usage


def _watch(program: int, usage: Usage, over: threading.Event) -> None:
    ticks_per_second = os.sysconf("SC_CLK_TCK")
    while not over.wait(INTERVAL):
        tree = [*process_tree(program)]
        used = sum(ticks for _, ticks in tree) / ticks_per_second
        usage.points.append((time.perf_counter(), used, sum(depth == 2 for depth, _ in tree)))


def process_tree(program: int) -> Iterator[tuple[int, int]]:
    """(depth, clock ticks) of a process and of those below it; ticks include those of children that ended.

    Workers have depth 2, since a server forks them.
    """
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # the process has ended
        number = int(path.parent.name)
        children.setdefault(int(fields[1]), []).append(number)
        ticks[number] = sum(map(int, fields[11:15]))
    level, depth = [program], 0
    while level:
        for number in level:
            yield depth, ticks.get(number, 0)
        level, depth = [child for number in level for child in children.get(number, ())], depth + 1
