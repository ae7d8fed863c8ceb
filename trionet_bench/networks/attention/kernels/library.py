"""The kernels in C: compiled at first use by the C compiler of the machine, kept in the user's cache, loaded by ctypes.

Where they cannot be compiled or loaded, a warning names the cause once, and attention runs on tensor operations.
"""

import ctypes
import logging
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch

from trionet_bench.errors import StoreError
from trionet_bench.networks.attention.kernels.building import BuildError, compiled, compiler_command
from trionet_bench.networks.attention.kernels.problem import Maps, Problem, Task

L = TypeVar("L")
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC")
C_TYPES = {torch.float32: "float", torch.float64: "double"}


def torch_uses_libgomp() -> bool:
    """Whether torch has loaded the OpenMP runtime that the C compiler links, so that both use the same threads."""
    if sys.platform != "linux":
        return False
    try:
        ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Build:
    """How a library is compiled.

    Args:
        source: the C file; files that it includes lie beside it.
        purpose: what is slower without it, for a warning.
        flags: of the compiler.
        openmp: whether to run on OpenMP threads where the compiler has OpenMP. Idle OpenMP threads spin; reusing
            torch's avoids oversubscription. Otherwise the library runs on a thread pool of this process.
    """

    source: Path
    purpose: str
    flags: tuple[str, ...] = FLAGS
    openmp: bool = field(default_factory=torch_uses_libgomp)


class Library:
    """A compiled library. OSError where the file cannot be loaded or its structures differ from ours in size."""

    def __init__(self, file: Path, openmp: bool) -> None:
        code = ctypes.CDLL(str(file))
        for name, size, structure in (
            ("Maps", code.size_of_maps, Maps),
            ("Problem", code.size_of_problem, Problem),  # which holds some Maps
        ):
            size.restype = ctypes.c_int64
            if size() != ctypes.sizeof(structure):
                raise OSError(
                    f"{file}: structure {name} has {size()} bytes in C and {ctypes.sizeof(structure)} in Python; "
                    "problem.h and problem.py must declare the same fields"
                )
        self.openmp = openmp
        self._run_groups = code.run_groups
        self._run_groups.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64]
        if openmp:
            self._run_all = code.run_all
            self._run_all.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]

    def run(self, problem: Problem, task: Task, groups: int) -> None:
        """Do a task in all its groups, on as many threads as torch has, without the GIL. MemoryError where the memory
        of the units cannot be allocated.
        """
        address = ctypes.addressof(problem)
        threads = min(torch.get_num_threads(), groups)
        if threads == 1:
            failed = self._run_groups(address, task, 0, groups)
        elif self.openmp:
            failed = self._run_all(address, task, threads)
        else:
            bounds = [groups * i // threads for i in range(threads + 1)]
            calls = _pool(os.getpid(), threads).map(
                lambda first, last: self._run_groups(address, task, first, last), bounds[:-1], bounds[1:]
            )
            failed = max(calls)
        if failed:
            raise MemoryError("no memory for the attention kernels")


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Keyed by process, since threads do not survive a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix="kernel")


def switched_off() -> str | None:
    """Why no kernel is to be used, where somebody said so."""
    return "off by TRIONET_BENCH_KERNELS" if os.environ.get("TRIONET_BENCH_KERNELS", "on") == "off" else None


def library_of(dtype: torch.dtype, build: Build, opened: Callable[[Path, bool], L]) -> L | str:
    """``load_library`` by the compiler that ``CC`` names."""
    return load_library(dtype, build, os.environ.get("CC", "cc"), opened)


@cache
def load_library(dtype: torch.dtype, build: Build, compiler: str, opened: Callable[[Path, bool], L]) -> L | str:
    """The library for numbers of a type, compiled if it is not in the cache; the reason, with a warning, where there is
    none.

    Args:
        compiler: as ``CC`` has it.
        opened: loads a file, and is told whether it was compiled with OpenMP; OSError where it does not fit.
    """
    flags = (*build.flags, f"-DREAL={C_TYPES[dtype]}", f"-DBYTES={dtype.itemsize}")
    fault = ""
    for openmp in (True, False) if build.openmp else (False,):  # not every compiler has OpenMP
        try:
            command = compiler_command(compiler)
            return opened(compiled(command, build.source, (*flags, *(["-fopenmp"] if openmp else []))), openmp)
        except (
            OSError,
            AttributeError,
            BuildError,
            StoreError,
        ) as error:  # AttributeError: the library lacks a function
            fault = str(error)
            if isinstance(error, TimeoutError):
                break
    logging.getLogger(__name__).warning("%s runs without its C kernels, slower: %s", build.purpose, fault)
    return fault
