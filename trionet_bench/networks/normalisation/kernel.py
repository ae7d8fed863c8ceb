"""The kernel of batch normalisation: compiled as those of attention are, and called by its arguments in a structure.

``TRIONET_BENCH_KERNELS=off`` turns it off with them.
"""

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from trionet_bench.networks.attention.kernels.library import C_TYPES, Build, library_of, switched_off

BUILD = Build(Path(__file__).with_name("batch_norm.c"), "batch normalisation")
LEAST = 2**17  # values of maps that are worth a call
_INTEGERS = ("images", "channels", "positions", "rectified")
_ARRAYS = ("x", "shortcut", "weight", "bias", "y", "dy", "out", "dshortcut", "dweight", "dbias", "mean", "inverse")


class Problem(ctypes.Structure):
    """Sizes, inputs and outputs of one call: the same fields in the same order as in ``batch_norm.c``."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in _INTEGERS),
        *((name, ctypes.c_void_p) for name in _ARRAYS),
        ("eps", ctypes.c_double),
    ]


class Library:
    """The compiled kernel. OSError where its structure differs from ours in size."""

    def __init__(self, file: Path, openmp: bool) -> None:
        code = ctypes.CDLL(str(file))
        code.size_of_problem.restype = ctypes.c_int64
        if code.size_of_problem() != ctypes.sizeof(Problem):
            raise OSError(f"{file}: its structure has {code.size_of_problem()} bytes, ours {ctypes.sizeof(Problem)}")
        self.openmp = openmp
        self._run = code.run
        self._run.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]
        self._run.restype = None

    def run(self, problem: Problem, backward: bool) -> None:
        """Compute, on torch's number of threads and without the GIL."""
        self._run(ctypes.addressof(problem), int(backward), torch.get_num_threads() if self.openmp else 1)


def available(x: Tensor) -> bool:
    """Whether the kernel is for maps like these (B, C, H, W): on a CPU, contiguous, in a number format that it has, and
    with a compiler; with several threads only where these are torch's. Not where operations are exported.

    It is not for small maps and channels-last memory, where torch is faster (``trionet-bench bench normalisation``).
    """
    if x.device.type != "cpu" or x.dtype not in C_TYPES or x.numel() < LEAST or not x.is_contiguous():
        return False
    return not torch.compiler.is_compiling() and missing_because(x.dtype) is None


def missing_because(dtype: torch.dtype) -> str | None:
    """Why there is no kernel for this number format on torch's number of threads; None where there is one."""
    if (off := switched_off()) is not None:
        return off
    library = _library(dtype)
    if isinstance(library, str):
        return library
    return None if library.openmp or torch.get_num_threads() == 1 else "torch's threads are not the compiler's"


def run(dtype: torch.dtype, problem: Problem, backward: bool) -> None:
    """Compute forward or backward. RuntimeError where there is no kernel for the type."""
    library = _library(dtype)
    if isinstance(library, str):
        raise RuntimeError(f"no kernel of batch normalisation for {dtype}; ask available first")
    library.run(problem, backward)


def _library(dtype: torch.dtype) -> Library | str:
    return library_of(dtype, BUILD, Library)
