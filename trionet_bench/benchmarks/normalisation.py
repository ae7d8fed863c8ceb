"""Batch normalisation with its shortcut and ReLU by the kernel in C, beside the same by operations of torch.

Forward and backward at maps of the shipped spaces; the memory is that of networks with attention, since those of
convolutions alone train with channels last, for which the kernel is not.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from trionet_bench.benchmarks.measure import Document, OnCase, Row, Target, at_most, compared, document, line_of
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.networks.normalisation import kernel
from trionet_bench.networks.normalisation.fused import normalise
from trionet_bench.timing import in_turns, threads

EPS = 1e-5
MAPS = ((64, 64, 8), (64, 128, 8), (64, 32, 16), (16, 64, 16), (16, 192, 16), (8, 64, 56))  # batch, channels, side
PARTS = {"alone": (False, False), "with ReLU": (False, True), "with shortcut and ReLU": (True, True)}


def measure(setting: Setting, on_case: OnCase) -> Document:
    """A row for each map and part; on a CPU, whatever the setting's device. No rows where there is no kernel."""
    chosen = [(maps, part) for maps in (MAPS[-1:] if setting.quick else MAPS) for part in PARTS]
    rows: list[Row] = []
    with threads(setting.threads) as used:
        for (batch, channels, side), part in chosen:
            x = torch.randn(batch, channels, side, side, generator=torch.Generator().manual_seed(0))
            if not kernel.available(x):
                continue
            steps = {"ours": _step(x, part, _by_kernel), "torch": _step(x, part, _by_torch)}
            times = in_turns(steps, setting.count(15), torch.device("cpu"))
            facts = {"case": f"{part}, {channels}x{side}x{side}, batch {batch}", "dtype": "float32", "part": part}
            rows.append(compared(facts, times["ours"], "torch's operations", times["torch"]))
            on_case(len(rows), len(chosen), line_of(rows[-1]))
    return document("normalisation", torch.device("cpu"), used, rows, targets(rows))


def targets(rows: list[Row]) -> list[Target]:
    """The kernel is never slower."""
    return at_most("batch normalisation by the kernel over torch's operations", 1, [row["ratio"] for row in rows])


Function = Callable[[Tensor, Tensor, Tensor, Tensor | None, bool], Tensor]


def _by_kernel(x: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None, rectified: bool) -> Tensor:
    return normalise(x, weight, bias, EPS, shortcut, rectified)[0]


def _by_torch(x: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None, rectified: bool) -> Tensor:
    y = F.batch_norm(x, None, None, weight, bias, training=True, eps=EPS)
    y = y if shortcut is None else y + shortcut
    return F.relu_(y) if rectified else y


def _step(x: Tensor, part: str, function: Function) -> Callable[[], None]:
    with_shortcut, rectified = PARTS[part]
    inputs = [x.clone().requires_grad_(), *(torch.ones(x.shape[1]).requires_grad_() for _ in range(2))]
    shortcut = x.clone().requires_grad_() if with_shortcut else None
    inputs += [] if shortcut is None else [shortcut]
    gradient = torch.ones_like(x)

    def step() -> None:
        y = function(inputs[0], inputs[1], inputs[2], shortcut, rectified)
        torch.autograd.grad(y, inputs, gradient)

    return step
