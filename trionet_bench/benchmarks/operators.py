"""Speed and memory of the operators, each beside references measured in the same run.

A case is timed in turns with its references and with a 3x3 convolution of the same width, so that other load on the
machine affects all of them equally. Reported are medians over all samples of forward and backward, with the gradient of
the input.

Peak memory is measured in ``memory``.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from trionet_bench.benchmarks.measure import (
    Document,
    OnCase,
    Row,
    Target,
    at_least,
    at_most,
    compared,
    document,
    line_of,
)
from trionet_bench.benchmarks.memory import peak_bytes
from trionet_bench.benchmarks.peak import TRAINING, products, rates
from trionet_bench.benchmarks.references import (
    DenseLocal,
    EinsumAxial,
    ShiftedLocal,
    TensorCrissCross,
    TorchConvolution,
    UnfoldedLocal,
)
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.operators.axial import AxialAttention
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.networks.operators.conv import Convolution
from trionet_bench.networks.operators.crisscross import CrissCrossAttention
from trionet_bench.networks.operators.local import LocalAttention
from trionet_bench.timing import in_turns, threads
from trionet_bench.training.device import resolve_device

LOCAL: dict[str | None, type[LocalAttention]] = {
    None: LocalAttention,
    "unfold": UnfoldedLocal,
    "shifts": ShiftedLocal,
    "dense": DenseLocal,
}
AXIAL: dict[str | None, type[AxialAttention]] = {None: AxialAttention, "einsum": EinsumAxial}
CRISSCROSS: dict[str | None, type[CrissCrossAttention]] = {None: CrissCrossAttention, "tensors": TensorCrissCross}
CONV: dict[str | None, type[Convolution]] = {None: Convolution, "torch's modules": TorchConvolution}
ERRORS = {"float32": 1e-4, "bfloat16": 0.05}  # of gradients that went through several normalisations


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

    @property
    def name(self) -> str:
        """One line for people."""
        what = f"{self.operator} {self.window}x{self.window} {self.terms}" if self.window else self.operator
        return f"{what}, {self.channels}x{self.size}x{self.size}, batch {self.batch}"

    @property
    def macs(self) -> int:
        """MACs of forward and backward."""
        with torch.device("meta"):
            return TRAINING * self.batch * self.build().macs(self.size, self.size)

    def images(self) -> Tensor:
        """Feature maps (B, C, H, W)."""
        return _images(self.batch, self.channels, (self.size, self.size))

    def build(self, reference: str | None = None) -> SpatialOperator:
        """The operator, or a reference for it, with the same weights."""
        if self.operator == "conv":
            module: SpatialOperator = CONV[reference](self.channels)
        elif self.operator == "local":
            assert self.window is not None and self.terms is not None
            module = LOCAL[reference](self.channels, self.heads, self.window, terms=self.terms)
        elif self.operator == "crisscross":
            module = CRISSCROSS[reference](self.channels, self.heads)
        else:
            module = AXIAL[reference](self.channels, self.heads, (self.size, self.size))
        return initialise(module, 0)


def _local(size: int, channels: int, batch: int, heads: int, window: int = 7, terms: str = "plain") -> Case:
    references = ("unfold", "shifts", "dense") if terms == "plain" and size <= 28 else ("unfold", "shifts")
    return Case("local", size, channels, batch, heads, window, terms, references)


def _axial(size: int, channels: int, batch: int, heads: int) -> Case:
    return Case("axial", size, channels, batch, heads, references=("einsum",))


def _crisscross(size: int, channels: int, batch: int, heads: int) -> Case:
    return Case("crisscross", size, channels, batch, heads, references=("tensors",))


def _conv(size: int, channels: int, batch: int, heads: int) -> Case:
    return Case("conv", size, channels, batch, heads, references=("torch's modules",))


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
    *(_crisscross(*shape) for shape in MAPS),
    *(_conv(*shape) for shape in MAPS),
)


def measure(
    setting: Setting, on_case: OnCase, dtype: str = "float32", cases: tuple[Case, ...] | None = None
) -> Document:
    """A row for each case and reference.

    ``ratio_to_reference`` is above 1 where ours is faster; ``ratio`` is its inverse. ``error`` is the largest
    difference from the float64 reference.
    """
    device, number_format = resolve_device(setting.device), getattr(torch, dtype)
    chosen = cases or (TARGETED if setting.quick else CASES)
    rows: list[Row] = []
    with threads(setting.threads) as used:
        for done, case in enumerate(chosen, start=1):
            rows.extend(_measure(case, device, number_format, setting.count(5)))
            on_case(done, len(chosen), line_of(rows[-1]))
    return document("operators", device, used, rows, targets(rows))


def _measure(case: Case, device: torch.device, dtype: torch.dtype, samples: int) -> Iterator[Row]:
    convolution = Case("conv", case.size, case.channels, case.batch)
    x = case.images().to(device, dtype)
    steps = {"ours": step_of(case.build(), x), "conv3": step_of(convolution.build(), x)}
    steps |= {name: step_of(case.build(name), x) for name in case.references}
    times = in_turns({**steps, **products(device)}, samples, device)
    del steps
    facts = {key: getattr(case, key) for key in ("operator", "window", "channels", "heads", "size", "batch", "terms")}
    facts |= {"case": case.name, "device": str(device), "dtype": str(dtype).removeprefix("torch.")}
    facts |= {"error": error_of(case, device, dtype), "peak_memory_bytes": case_peak_bytes(case, None, device, dtype)}
    for reference in case.references:
        row = compared(facts, times["ours"], reference, times[reference])
        yield {
            **row,
            **rates(case.macs, row["median_ms"], times, device),
            "forward_backward_ms": row["median_ms"],
            "ratio_to_reference": row["reference_ms"] / row["median_ms"],
            "ratio_to_conv3": row["median_ms"] / statistics.median(times["conv3"]),
            "reference_peak_memory_bytes": case_peak_bytes(case, reference, device, dtype),
        }


def step_of(module: nn.Module, x: Tensor) -> Callable[[], None]:
    """Forward and backward once, in training mode, with the gradient of the input; the module goes where x is."""
    module.to(x.device, x.dtype)
    x = x.detach().requires_grad_()
    gradient: Tensor | None = None

    def step() -> None:
        nonlocal gradient
        x.grad = None
        module.zero_grad()
        output = module(x)
        gradient = torch.ones_like(output) if gradient is None else gradient
        output.backward(gradient)

    return step


def _images(batch: int, channels: int, size: tuple[int, int]) -> Tensor:
    return torch.randn(batch, channels, *size, generator=torch.Generator().manual_seed(0))


def _made(case: Case, reference: str | None, device: torch.device, dtype: torch.dtype) -> Callable[[], None]:
    return step_of(case.build(reference), case.images().to(device, dtype))


def error_of(case: Case, device: torch.device, dtype: torch.dtype) -> float:
    """Ours against the first reference in float64, at odd sizes: the largest difference of output, input gradient and
    weight gradients, each over the largest value of the reference's. Gradients that cancel, like those of a shift that
    a later normalisation takes away, are set against the largest of all weights'.
    """
    size = tuple(min(case.size, most) - (min(case.size, most) + 1) % 2 for most in (9, 11))
    x = _images(4, case.channels, (size[0], size[1]))

    def results(reference: str | None, kind: torch.dtype, where: torch.device) -> list[Tensor]:
        module, inputs = case.build(reference).to(where, kind), x.to(where, kind, copy=True).requires_grad_()
        output = module(inputs)
        output.backward(torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(where, kind))
        assert inputs.grad is not None
        values = [output.detach(), inputs.grad, *(p.grad for p in module.parameters() if p.grad is not None)]
        return [value.cpu().double() for value in values]

    ours, theirs = results(None, dtype, device), results(case.references[0], torch.float64, torch.device("cpu"))
    scale = [float(value.abs().max()) for value in theirs]
    largest = max(scale[2:])
    scale = [s if s > 1e-9 * largest else largest for s in scale]
    return max(float((a - b).abs().max()) / s for a, b, s in zip(ours, theirs, scale, strict=True))


def case_peak_bytes(case: Case, reference: str | None, device: torch.device, dtype: torch.dtype) -> int | None:
    """Peak memory of one step; a step at a small size goes first, to load what is loaded at first use."""
    small = replace(case, size=min(case.size, 4), batch=1)
    return peak_bytes(
        partial(_made, small, reference, device, dtype), partial(_made, case, reference, device, dtype), device
    )


def targets(rows: list[Row]) -> list[Target]:
    """The bounds that the rows can decide."""

    def memory(chosen: list[Row]) -> list[float]:
        return [r["peak_memory_bytes"] / r["reference_peak_memory_bytes"] for r in chosen if r["peak_memory_bytes"]]

    def speed(chosen: list[Row]) -> list[float]:
        return [r["ratio_to_reference"] for r in chosen]

    bounds: list[Target] = []
    large = [r for r in rows if r["operator"] == "local" and (r["size"], r["channels"], r["window"]) == (56, 128, 7)]
    for terms in ("plain", "position_sensitive"):
        unfold = [r for r in large if r["terms"] == terms and r["reference"] == "unfold"]
        where = f"local 7x7 at 56x56, {terms}"
        bounds += at_least(f"{where}: times as fast as unfold", 8, speed(unfold))
        bounds += at_most(f"{where}: time over conv 3x3", 3, [r["ratio_to_conv3"] for r in unfold])
        bounds += at_most(f"{where}: memory over unfold", 0.2, memory(unfold))
    local = [r for r in rows if r["operator"] == "local"]
    bounds += at_least("local at every size: times as fast as the best simple path", 1, speed(local))
    axial = [r for r in rows if r["operator"] == "axial"]
    stated = [r for r in axial if (r["size"], r["channels"]) == (56, 128)]
    bounds += at_least("axial at 56x56: times as fast as einsum", 2, speed(stated))
    bounds += at_most("axial at 56x56: memory over einsum", 0.5, memory(stated))
    bounds += at_least("axial at every size: times as fast as einsum", 1, speed(axial))
    crossed = [r for r in rows if r["operator"] == "crisscross"]
    bounds += at_least("criss-cross at every size: times as fast as matrix products", 1, speed(crossed))
    for dtype, limit in ERRORS.items():
        errors = [r["error"] for r in rows if r["dtype"] == dtype]
        bounds += at_most(f"difference from float64 at odd sizes, {dtype}", limit, errors)
    return bounds
