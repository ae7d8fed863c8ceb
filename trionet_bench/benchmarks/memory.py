"""Peak memory of one step of computation.

On a CPU it is the growth of the resident memory of a new process, so that every allocation counts, torch's or not. On
CUDA it is torch's peak of allocated bytes.
"""

import gc
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from trionet_bench.execution.executors.local import worker_context
from trionet_bench.systems.registry import SYSTEMS

MakeStep = Callable[[], Callable[[], None]]


def peak_bytes(make_warm_up: MakeStep, make_step: MakeStep, device: torch.device) -> int | None:
    """The most memory that a step takes beyond what it was made with, such as weights and inputs.

    Both arguments make a step and can be pickled; the warm-up runs first. None where the system does not report the
    peak.
    """
    if device.type == "cuda":
        step = make_step()
        step()
        gc.collect()
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        step()
        return torch.cuda.max_memory_allocated(device) - before
    if not Path("/proc/self/clear_refs").exists():
        return None
    context = worker_context([SYSTEMS.get("standalone")])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(  # type: ignore[attr-defined]  # typeshed declares it on the kinds of contexts only
        target=_send_peak, args=(sender, make_warm_up, make_step)
    )
    process.start()
    sender.close()
    try:
        peak: int = receiver.recv()
    finally:
        process.join()
    return peak


def _send_peak(sender: Connection, make_warm_up: MakeStep, make_step: MakeStep) -> None:
    torch.set_num_threads(1)
    make_warm_up()()
    step = make_step()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status_bytes("VmRSS")
    step()
    sender.send(_status_bytes("VmHWM") - before)


def _status_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))
