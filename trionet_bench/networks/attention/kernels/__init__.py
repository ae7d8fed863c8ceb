"""The loops in C: compiled by the machine's own C compiler at first use, kept in the user's cache, called without the
GIL on as many threads as torch has: torch's own where they can be had, since these go on turning for a while after an
operation and would take the cores from others.

Where there is no compiler everything works without them, on tensor operations. ``TRIONET_BENCH_KERNELS=off`` does
without them anywhere.
"""

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import torch

from trionet_bench.caching import cache_folder

SOURCE = Path(__file__).with_name("window.c")
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC")
C_TYPES = {torch.float32: "float", torch.float64: "double"}


def available(dtype: torch.dtype) -> bool:
    """Whether kernels for this type are there; the first call may compile them, about two seconds."""
    return os.environ.get("TRIONET_BENCH_KERNELS", "on") != "off" and dtype in C_TYPES and _library(dtype) is not None


@cache
def _library(dtype: torch.dtype) -> ctypes.CDLL | None:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return None
    flags = (*FLAGS, f"-DREAL={C_TYPES[dtype]}", f"-DBYTES={dtype.itemsize}")
    fault: object = None
    for more in (("-fopenmp",), ()) if _shares_threads() else ((),):  # not every compiler has OpenMP
        try:
            library = ctypes.CDLL(str(_compiled(compiler, (*flags, *more))))
        except OSError as error:
            fault = error
        except subprocess.CalledProcessError as error:
            fault = error.stderr.decode(errors="replace")
        else:
            library.run_groups.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64]
            if more:
                library.run_all.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]
            return library
    logging.getLogger(__name__).warning("attention runs without its C kernels, slower: %s", fault)
    return None


@cache
def _shares_threads() -> bool:
    """Whether torch has loaded the OpenMP runtime that the C compiler links, so that both have the same threads."""
    if sys.platform != "linux":
        return False
    try:
        ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except OSError:
        return False
    return True


def _compiled(compiler: str, flags: tuple[str, ...]) -> Path:
    """The shared library of this source, compiler and processor; compiled if it is not kept yet."""
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout
    machine = f"{platform.machine()} {platform.processor()}"
    details = Path("/proc/cpuinfo")
    if details.exists():
        machine += next((line for line in details.read_text().splitlines() if line.startswith("flags")), "")
    identity = [SOURCE.read_bytes(), version, machine.encode(), *(flag.encode() for flag in flags)]
    digest = hashlib.sha256(b"\0".join(identity))
    folder = cache_folder()
    library = folder / f"window-{digest.hexdigest()[:16]}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:  # several processes may compile at once
            built = Path(scratch) / "window.so"
            subprocess.run([compiler, *flags, str(SOURCE), "-o", str(built), "-lm"], capture_output=True, check=True)
            built.replace(library)
    return library


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Of this process: threads do not survive a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix="kernel")


def run(dtype: torch.dtype, problem: ctypes.Structure, task: int, groups: int) -> None:
    """A task of the source over all its groups."""
    library = _library(dtype)
    assert library is not None
    address = ctypes.addressof(problem)
    threads = min(torch.get_num_threads(), groups)
    call: Callable[[int, int], int] = lambda first, last: library.run_groups(address, task, first, last)  # noqa: E731
    if threads == 1:
        failed = call(0, groups)
    elif hasattr(library, "run_all"):
        failed = library.run_all(address, task, threads)
    else:
        bounds = [groups * i // threads for i in range(threads + 1)]
        failed = max(_pool(os.getpid(), threads).map(call, bounds[:-1], bounds[1:]))
    if failed:
        raise MemoryError("no memory for the attention kernels")
