"""How fast a device multiplies matrices, and which share of that a computation reaches.

The peak is that of one large product of square matrices, timed in turns with what is measured, so that other load on
the machine affects both.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence

import torch

from trionet_bench.benchmarks.measure import Row

FORMATS = ("float32", "bfloat16")
SIDE, CUDA_SIDE = 1024, 8192  # of the matrices
TRAINING = 3  # forward, gradient of the input, gradient of the weights: MACs of a step over those of a forward pass


def products(device: torch.device) -> dict[str, Callable[[], None]]:
    """One large product in each number format, as steps for ``timing.in_turns`` by the names of ``FORMATS``."""
    return {name: _product(_side(device), getattr(torch, name), device) for name in FORMATS}


def _side(device: torch.device) -> int:
    return CUDA_SIDE if device.type == "cuda" else SIDE


def _product(side: int, dtype: torch.dtype, device: torch.device) -> Callable[[], None]:
    left, right = (torch.ones(side, side, dtype=dtype, device=device) for _ in range(2))
    result = torch.empty_like(left)

    def step() -> None:
        torch.mm(left, right, out=result)

    return step


def rates(macs: float, milliseconds: float, times: Mapping[str, Sequence[float]], device: torch.device) -> Row:
    """What to say of a computation of so many MACs: its rate, and its share of the peak in each number format.

    ``times`` has the milliseconds of the steps of ``products``; the peak is that of their median.
    """
    rate = macs / milliseconds / 1e6
    row: Row = {"macs": macs, "gmacs_per_second": rate}
    for name in FORMATS:
        peak = _side(device) ** 3 / statistics.median(times[name]) / 1e6
        row |= {f"{name}_peak_gmacs_per_second": peak, f"share_of_{name}_peak": rate / peak}
    return row
