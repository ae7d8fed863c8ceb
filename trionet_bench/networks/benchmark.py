"""Speed and memory of the operators, each beside references measured in the same run.

A case is timed in turns with its references and with a 3x3 convolution of the same width, so that whatever else the
machine does meets all of them. Reported are medians over all samples, forward and backward, inputs' gradient included.

Peak memory on a CPU is the growth of the process's resident memory, in a process of its own for every measurement:
nothing that is allocated, by torch or not, escapes it. On CUDA it is torch's peak of allocated bytes.
"""

import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trionet_bench.networks.layers import initialise
from trionet_bench.networks.operators.axial import AxialAttention
from trionet_bench.networks.operators.conv import Convolution
from trionet_bench.networks.operators.local import LocalAttention
from trionet_bench.networks.references import DenseLocal, EinsumAxial, ShiftedLocal, UnfoldedLocal
from trionet_bench.training.device import environment, resolve_device

LOCAL: dict[str | None, type[LocalAttention]] = {
    None: LocalAttention,
    "unfold": UnfoldedLocal,
    "shifts": ShiftedLocal,
    "dense": DenseLocal,
}
AXIAL: dict[str | None, type[AxialAttention]] = {None: AxialAttention, "einsum": EinsumAxial}


@dataclass(frozen=True)
class Case:
    """One operator at one size; ``terms`` and ``window`` are local attention's."""

    operator: str
    size: int
    channels: int
    batch: int
    heads: int = 8
    window: int | None = None
    terms: str | None = None
    references: tuple[str, ...] = ()

    def build(self, reference: str | None = None) -> nn.Module:
        """The operator, or a reference for it, with the same weights."""
        if self.operator == "conv":
            module: nn.Module = Convolution(self.channels)
        elif self.operator == "local":
            assert self.window is not None and self.terms is not None
            module = LOCAL[reference](self.channels, self.heads, self.window, terms=self.terms)
        else:
            module = AXIAL[reference](self.channels, self.heads, (self.size, self.size))
        return initialise(module, 0)


def _local(size: int, channels: int, batch: int, heads: int, window: int = 7, terms: str = "plain") -> Case:
    references = ("unfold", "shifts", "dense") if terms == "plain" and size <= 28 else ("unfold", "shifts")
    return Case("local", size, channels, batch, heads, window, terms, references)


def _axial(size: int, channels: int, batch: int, heads: int) -> Case:
    return Case("axial", size, channels, batch, heads, references=("einsum",))


# The case of the stated targets first; then the feature maps of the shipped spaces at about their widths.
TARGETED = (_local(56, 128, 8, 8), _local(56, 128, 8, 8, terms="position_sensitive"), _axial(56, 128, 8, 8))
MAPS = (
    *((56, 64, 8, 8), (28, 128, 8, 8), (14, 256, 8, 8), (7, 512, 8, 8)),
    *((32, 32, 32, 8), (16, 32, 64, 4), (8, 64, 64, 4), (4, 128, 64, 4)),
)
CASES = (
    *TARGETED,
    *(
        _local(*shape, window, terms)
        for shape in MAPS
        for window in (3, 7)
        for terms in ("plain", "position_sensitive")
    ),
    *(_axial(*shape) for shape in MAPS),
)


def measure_operators(
    cases: tuple[Case, ...],
    device: str = "auto",
    threads: int | None = None,
    dtype: torch.dtype = torch.float32,
    samples: int = 7,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """What ``bench operators --json`` prints: a row for each case and reference, and the targets."""
    where = resolve_device(device)
    with _threads(threads):
        rows: list[dict[str, Any]] = []
        for case in cases:
            rows.extend(_measure(case, where, dtype, samples))
            progress(describe(rows[-1]))
        used = torch.get_num_threads()
    return {
        "environment": {**environment(where).model_dump(), "threads": used},
        "cases": rows,
        "targets": [asdict(target) for target in targets(rows)],
    }


def _measure(case: Case, device: torch.device, dtype: torch.dtype, samples: int) -> Iterator[dict[str, Any]]:
    convolution = Case("conv", case.size, case.channels, case.batch)
    steps = {"ours": _step(case, None, device, dtype), "conv3": _step(convolution, None, device, dtype)}
    steps |= {name: _step(case, name, device, dtype) for name in case.references}
    times = in_turns(steps, samples, device)
    del steps
    ours = statistics.median(times["ours"])
    peak = peak_bytes(case, None, device, dtype)
    for reference in case.references:
        theirs = statistics.median(times[reference])
        yield {
            **{
                key: getattr(case, key) for key in ("operator", "window", "channels", "heads", "size", "batch", "terms")
            },
            "device": str(device),
            "dtype": str(dtype).removeprefix("torch."),
            "forward_backward_ms": ours,
            "samples_ms": times["ours"],
            "reference": reference,
            "reference_ms": theirs,
            "reference_samples_ms": times[reference],
            "ratio_to_reference": theirs / ours,
            "ratio_to_conv3": ours / statistics.median(times["conv3"]),
            "peak_memory_bytes": peak,
            "reference_peak_memory_bytes": peak_bytes(case, reference, device, dtype),
        }


def _step(case: Case, reference: str | None, device: torch.device, dtype: torch.dtype) -> Callable[[], None]:
    """Forward and backward once, in training mode."""
    module = case.build(reference).to(device, dtype)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(case.batch, case.channels, case.size, case.size, generator=generator).to(device, dtype)
    x.requires_grad_()
    gradient: Tensor | None = None

    def step() -> None:
        nonlocal gradient
        x.grad = None
        module.zero_grad()
        output = module(x)
        gradient = torch.ones_like(output) if gradient is None else gradient
        output.backward(gradient)

    return step


def in_turns(steps: dict[str, Callable[[], None]], samples: int, device: torch.device) -> dict[str, list[float]]:
    """Milliseconds of each step, one sample of each after the other; a first round warms up and is dropped."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for sample in range(samples + 1):
        for name, step in steps.items():
            _finish(device)
            start = time.perf_counter()
            step()
            _finish(device)
            if sample:
                times[name].append(1000 * (time.perf_counter() - start))
    return times


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def peak_bytes(case: Case, reference: str | None, device: torch.device, dtype: torch.dtype) -> int | None:
    """Most memory that one step takes beyond weights and input; None on a CPU whose system does not tell."""
    if device.type == "cuda":
        step = _step(case, reference, device, dtype)
        step()
        gc.collect()
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        step()
        return torch.cuda.max_memory_allocated(device) - before
    if not Path("/proc/self/clear_refs").exists():
        return None
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_peak, args=(sender, case, reference, dtype))
    process.start()
    sender.close()
    try:
        found: int = receiver.recv()
    finally:
        process.join()
    return found


def _send_peak(sender: Any, case: Case, reference: str | None, dtype: torch.dtype) -> None:
    torch.set_num_threads(1)
    warm = replace(case, size=min(case.size, 4), batch=1)
    _step(warm, reference, torch.device("cpu"), dtype)()  # loads what is loaded at first use
    step = _step(case, reference, torch.device("cpu"), dtype)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status("VmRSS")
    step()
    sender.send(_status("VmHWM") - before)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


@dataclass(frozen=True)
class Target:
    """A stated ratio, and what was found."""

    name: str
    limit: float
    at_least: bool
    found: float
    met: bool


def targets(rows: list[dict[str, Any]]) -> list[Target]:
    """What is promised of the operators, as far as the rows tell."""
    found: list[Target] = []

    def promise(name: str, limit: float, at_least: bool, values: list[float]) -> None:
        if values:
            worst = min(values) if at_least else max(values)
            found.append(Target(name, limit, at_least, worst, worst >= limit if at_least else worst <= limit))

    def memory(row: dict[str, Any]) -> float:
        return float(row["peak_memory_bytes"] / row["reference_peak_memory_bytes"])

    large = [r for r in rows if r["operator"] == "local" and (r["size"], r["channels"], r["window"]) == (56, 128, 7)]
    for terms in ("plain", "position_sensitive"):
        unfold = [r for r in large if r["terms"] == terms and r["reference"] == "unfold"]
        promise(
            f"local 7x7 at 56x56, {terms}: times as fast as unfold", 8, True, [r["ratio_to_reference"] for r in unfold]
        )
        promise(f"local 7x7 at 56x56, {terms}: time over conv 3x3", 3, False, [r["ratio_to_conv3"] for r in unfold])
        known = [memory(r) for r in unfold if r["peak_memory_bytes"]]
        promise(f"local 7x7 at 56x56, {terms}: memory over unfold", 0.2, False, known)
    local = [r["ratio_to_reference"] for r in rows if r["operator"] == "local"]
    promise("local at every size: times as fast as the best simple path", 1, True, local)
    axial = [r for r in rows if r["operator"] == "axial"]
    stated = [r for r in axial if (r["size"], r["channels"]) == (56, 128)]
    promise("axial at 56x56: times as fast as einsum", 2, True, [r["ratio_to_reference"] for r in stated])
    promise("axial at 56x56: memory over einsum", 0.5, False, [memory(r) for r in stated if r["peak_memory_bytes"]])
    promise("axial at every size: times as fast as einsum", 1, True, [r["ratio_to_reference"] for r in axial])
    return found


def describe(row: dict[str, Any]) -> str:
    """A row in one line."""
    what = f"{row['operator']} {row['window'] or ''} {row['terms'] or ''}".strip()
    memory = f", {row['peak_memory_bytes'] / 2**20:.0f} MiB" if row["peak_memory_bytes"] else ""
    return (
        f"{what}, {row['channels']}x{row['size']}x{row['size']}, batch {row['batch']}: "
        f"{row['forward_backward_ms']:.1f} ms{memory}, {row['ratio_to_conv3']:.2f} of conv 3x3, "
        f"{row['ratio_to_reference']:.1f} times as fast as {row['reference']}"
    )
