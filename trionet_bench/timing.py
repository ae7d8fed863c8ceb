"""Timing on a machine with other load: samples in turns, on a stated number of threads."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch


def in_turns(steps: Mapping[str, Callable[[], object]], samples: int, device: torch.device) -> dict[str, list[float]]:
    """Milliseconds of each step by name, in rounds of one sample of each; a first round warms up and is dropped.

    So other load on the machine affects all steps equally.
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
    """Wait until the device has finished all work that was submitted."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextmanager
def threads(count: int | None) -> Iterator[int]:
    """A context in which torch computes on ``count`` CPU threads, None for as many as before; yields the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
