"""Timing that can be believed on a machine with other things to do: samples in turns, on a stated number of threads."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch


def in_turns(steps: Mapping[str, Callable[[], object]], samples: int, device: torch.device) -> dict[str, list[float]]:
    """Milliseconds of each step, one sample of each after the other; a first round warms up and is dropped.

    Whatever else the machine does so meets all of them alike.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    for sample in range(samples + 1):
        for name, step in steps.items():
            finish(device)
            start = time.perf_counter()
            step()
            finish(device)
            if sample:
                times[name].append(1000 * (time.perf_counter() - start))
    return times


def finish(device: torch.device) -> None:
    """Wait until the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextmanager
def threads(count: int | None) -> Iterator[int]:
    """Within it torch computes on ``count`` threads of the CPU, None for as many as before; gives the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
