"""How busy the cores are, by hand, and the processes of a program."""

import os
import sys
from pathlib import Path

import pytest

from trionet_bench.benchmarks.processes import Usage, process_tree, run_watched


def test_busy_is_processor_time_over_time_and_cores():
    usage = Usage()
    # a second to start with one core, then two with two workers on both, then a single worker
    usage.points = [(0.0, 0.0, 0), (1.0, 1.0, 2), (2.0, 2.8, 2), (3.0, 4.6, 2), (4.0, 5.6, 1)]
    assert usage.busy(2, at_once=2) == [pytest.approx(3.6 / 2 / 2)]
    assert usage.busy(2, at_once=0) == [pytest.approx(5.6 / 4 / 2)]
    usage.points.append((5.0, 0.2, 0))  # the workers, and their parent, have ended
    assert usage.busy(2, at_once=0) == [pytest.approx(5.6 / 5 / 2)]
    assert Usage().busy(2, at_once=2) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="not Linux")
def test_the_tree_begins_with_the_program_itself():
    (depth, ticks), *_ = process_tree(os.getpid())
    assert depth == 0
    assert ticks > 0


def test_a_watched_program_that_fails_says_why():
    with pytest.raises(RuntimeError, match=r"exit code 1: (.|\n)*KeyError: 'x'"):
        run_watched([sys.executable, "-c", "{}['x']"])
