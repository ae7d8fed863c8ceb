"""Devices: which one, how much memory it took, how repeatable it is, and what the machine is."""

import os
import platform
import resource
import sys
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.utils.deterministic as deterministic

from trionet_bench.errors import UsageError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.processor import described
from trionet_bench.records.record import Environment
from trionet_bench.training.recipe_parts import Precision


def resolve_device(name: str) -> torch.device:
    """The device called "auto", "cpu", "cuda", "cuda:N" or "mps"; UsageError for one that this machine lacks.

    "auto" is the first GPU where there is one, and the CPU otherwise.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdigit()) or (number and kind == "cpu"):
        raise UsageError(f'unknown device "{name}"; allowed are auto, cpu, cuda, cuda:0, cuda:1, ..., mps.')
    if kind == "cuda":
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(number or 0) >= found:
            raise UsageError(f'device "{name}" is not here: torch sees {found} CUDA devices; use "cpu".')
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f'device "{name}" is not here: torch sees no Metal device; use "cpu".')
    return torch.device(name)


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """The context for a forward pass in ``precision``; losses and backward passes belong outside.

    ValueError for "auto", which is resolved before.
    """
    if precision == "auto":
        raise ValueError('precision "auto" was not resolved; see training.precision')
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def reset_peak_memory(device: torch.device) -> None:
    """Starts the measurement of ``peak_memory`` anew, where the device allows it: on CUDA."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int:
    """Most bytes in use: on CUDA in tensors since the last reset, elsewhere by this process since it began."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kibibytes


def make_deterministic(device: torch.device) -> JsonObject:
    """Asks torch for repeatable results and returns the settings in force, for the record.

    Operations without a deterministic CUDA kernel warn instead of failing.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling takes a quarter of a CPU step, for memory never read. (A property of the module, unseen by mypy.)
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(),
        "world": int(os.environ.get("WORLD_SIZE", "1")),
    }


def environment(device: torch.device) -> Environment:
    """The machine and the libraries, without host or user name."""
    import numpy
    import torchvision

    return Environment(
        python=platform.python_version(),
        torch=torch.__version__,
        torchvision=torchvision.__version__,
        numpy=numpy.__version__,
        platform=f"{platform.system()} {platform.machine()}",
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        device=str(device),
        device_name=torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name(),
    )


def _cpu_name() -> str:
    return described("model name") or platform.processor() or platform.machine()
