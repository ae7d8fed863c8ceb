"""The kernels that attention calls: whether there are any for a type, and a call of one.

``TRIONET_BENCH_KERNELS=off`` turns them off.
"""

from pathlib import Path

import torch

from trionet_bench.networks.attention.kernels.library import (
    C_TYPES,
    Build,
    Library,
    library_of,
    switched_off,
)
from trionet_bench.networks.attention.kernels.problem import Problem, Task

BUILD = Build(Path(__file__).with_name("attention.c"), "attention")


def available(dtype: torch.dtype) -> bool:
    """Whether there are kernels for numbers of this type; the first call may compile them,
    which takes some seconds.
    """
    return missing_because(dtype) is None


def missing_because(dtype: torch.dtype) -> str | None:
    """Why there are no kernels for numbers of this type; None where there are."""
    if (off := switched_off()) is not None:
        return off
    if dtype not in C_TYPES:
        return f"there are none for {dtype}"
    library = _library(dtype)
    return library if isinstance(library, str) else None


def run(dtype: torch.dtype, problem: Problem, task: Task, groups: int) -> None:
    """Do a task in all its groups. RuntimeError where there are no kernels for the type, MemoryError without memory."""
    library = _library(dtype)
    if isinstance(library, str):
        raise RuntimeError(f"no attention kernels for {dtype}; ask kernels.available first")
    library.run(problem, task, groups)


def _library(dtype: torch.dtype) -> Library | str:
    return library_of(dtype, BUILD, Library)
