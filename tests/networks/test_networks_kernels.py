"""The C kernels against tensor operations: sizes, memory layouts, vectors, threads, and compilers that fail."""

import ctypes
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.attention import PATHS, assert_same, gradients, images, operators, ready, take
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from trionet_bench.networks.attention import blocks, cross, kernels
from trionet_bench.networks.attention import layers as attention
from trionet_bench.networks.attention.cut import Cut, Side, cheapest_cut
from trionet_bench.networks.attention.kernels.problem import Maps, Problem, Task
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.operators.axial import AxialAttention, LineAttention
from trionet_bench.networks.operators.crisscross import CrissCrossAttention
from trionet_bench.networks.operators.local import LocalAttention

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
# The sizes of maps in the spaces.
SIZES = [(16, 16), (8, 8), (4, 4), (2, 2), (7, 7), (14, 14), (28, 28), (13, 17)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("name", "build"), list(operators()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_all_paths_agree(
    name: str,
    build: Callable[[tuple[int, int]], nn.Module],
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
):
    x = images(5, 16, *size)
    results = {}
    for path in PATHS:
        if path == "kernel" and not kernels.available(torch.float64):
            continue
        take(path, monkeypatch)
        results[path] = gradients(ready(build(size), train=True), x, nn.Module.__call__)
    for path in PATHS[:-1]:
        if path in results:
            assert_same(results[path], results["exported"], 1e-9)


def test_the_kernel_is_taken_on_a_cpu_in_every_type(monkeypatch: pytest.MonkeyPatch):
    take("kernel", monkeypatch)
    taken = {torch.float32: torch.float32, torch.bfloat16: torch.float32, torch.float64: torch.float64}
    for dtype, kernel in taken.items():
        assert attention.kernel_type(torch.zeros(1, 1, 1, 1, dtype=dtype)) is kernel
    assert attention.kernel_type(torch.zeros(1, 1, 1, 1, device="meta")) is None


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (4, 4), (8, 8), (5, 16)], ids=str)
def test_blocks_of_any_shape_give_the_same(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch):
    take("tensors", monkeypatch)
    module, x = ready(LocalAttention(8, 2, 5, terms="position_sensitive"), train=True), images(2, 8, 7, 9)
    expected = gradients(module, x, nn.Module.__call__)
    cut = Cut(*(Side(size, 5, queries) for size, queries in zip((7, 9), shape, strict=True)))
    monkeypatch.setattr(blocks, "cheapest_cut", lambda height, width, window: cut)
    assert_same(gradients(module, x, nn.Module.__call__), expected)


def test_blocks_hold_every_query_once_and_every_pair_in_a_window_once():
    cut = cheapest_cut(19, 10, (7, 5))
    near = cut.pairs(torch.device("cpu")).flatten(3)
    here = cut.query_blocks(torch.ones(1, 1, 1, 19, 10)).flatten(2).bool()
    assert int(here.sum()) == 190
    pairs = [
        abs(y - j) <= 3 and abs(x - i) <= 2 for y in range(19) for x in range(10) for j in range(19) for i in range(10)
    ]
    assert int(near.flatten(0, 2)[here[0, 0]].sum()) == sum(pairs)


class Counter(TorchDispatchMode):
    """Counts operations that are no views, in forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("operator", "most"), [("plain", 200), ("position_sensitive", 600), ("axial", 600)])
def test_the_number_of_operations_grows_with_nothing(operator: str, most: int, monkeypatch: pytest.MonkeyPatch):
    # These are what runs on a GPU, where a launch costs as much as millions of products.
    take("tensors", monkeypatch)

    def operations(batch: int, heads: int, size: tuple[int, int]) -> int:
        axial = operator == "axial"
        built = AxialAttention(16, heads, size) if axial else LocalAttention(16, heads, 7, terms=operator)
        module, x = initialise(built, 0), torch.randn(batch, 16, *size, requires_grad=True)
        with Counter() as counter:
            module(x).sum().backward()
        return counter.count

    first = operations(2, 2, (40, 48))
    assert first < most
    # Sides in one block, or in blocks that reach over the map; what is a view at one size is a copy at another.
    for batch, heads, size in ((1, 2, (40, 48)), (24, 2, (40, 48)), (2, 8, (40, 48)), (2, 2, (12, 25)), (2, 2, (7, 7))):
        assert abs(operations(batch, heads, size) - first) <= 40


# In float32 a vector has 8 or 16 lanes, each a map: 16 columns are adjacent, 14 are in two runs, 6 in more. Rows, and
# maps with windows, are transposed by squares of 8 or 16 positions, of which the last overlaps the one before.
UNITS = {
    **{
        f"{lines} {size}": (lines, size)
        for lines in ("rows", "columns")
        for size in ((8, 16), (5, 14), (16, 6), (3, 17))
    },
    **{f"local {size}": ("local", size) for size in ((7, 7), (5, 9), (2, 3), (18, 17))},
}


@pytest.mark.parametrize("batch", [1, 4, 5])
@pytest.mark.parametrize(("lines", "size"), UNITS.values(), ids=UNITS)
def test_kernel_in_units_that_are_adjacent_in_memory_or_not(
    lines: str, size: tuple[int, int], batch: int, monkeypatch: pytest.MonkeyPatch
):
    built = (
        LocalAttention(8, 4, 7, terms="position_sensitive")
        if lines == "local"
        else LineAttention(AxialAttention(8, 2, size).outputs, 2, 2, 2, max(size), lines)
    )
    module, x = ready(built, train=True).float(), images(batch, 8, *size).float()
    results = {}
    for path in ("kernel", "tensors"):
        take(path, monkeypatch)
        results[path] = gradients(module, x, nn.Module.__call__)
    assert_same(results["kernel"], {name: value.double() for name, value in results["tensors"].items()}, 1e-3)


# How the library is compiled and loaded.


@needs_compiler
@pytest.mark.parametrize("width", [16, 32, 64])
def test_kernels_for_processors_with_other_vectors(width: int, monkeypatch: pytest.MonkeyPatch):
    take("tensors", monkeypatch)
    x = images(8, 16, 9, 14)
    module = ready(LocalAttention(16, 4, 5, terms="position_sensitive"), train=True)
    modules = [module, ready(AxialAttention(16, 4, (9, 14)), train=True), ready(CrissCrossAttention(16, 4), train=True)]
    expected = [gradients(built, x, nn.Module.__call__) for built in modules]
    take("kernel", monkeypatch)
    # -O1: vectors that the processor does not have take minutes to optimise
    flags = ["-O1" if flag == "-O3" else flag for flag in kernels.BUILD.flags]
    build = replace(kernels.BUILD, flags=(*flags, f"-DVECTOR={width}", "-Wno-psabi"))
    monkeypatch.setattr(kernels, "BUILD", build)
    assert kernels.available(torch.float32)
    results = [gradients(built.float(), x.float(), nn.Module.__call__) for built in modules]
    for values, wanted in zip(results, expected, strict=True):
        assert_same({name: value.double() for name, value in values.items()}, wanted, 1e-3)


@pytest.mark.parametrize("openmp", [False, True], ids=["thread pool", "threads of torch"])
def test_kernel_results_do_not_depend_on_the_number_of_threads(openmp: bool, monkeypatch: pytest.MonkeyPatch):
    take("kernel", monkeypatch)
    if openmp and not kernels.BUILD.openmp:
        pytest.skip("torch has threads that a C compiler cannot use here")
    monkeypatch.setattr(kernels, "BUILD", replace(kernels.BUILD, openmp=openmp))
    module, x = ready(LocalAttention(16, 4, 7, terms="position_sensitive"), train=True).float(), images(9, 16, 6, 6)
    qkv = images(9, 48, 6, 6).float().requires_grad_()
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            result = gradients(module, x.float(), nn.Module.__call__)
            (result["qkv"],) = torch.autograd.grad(cross.attend(qkv, 4, 4, 4).square().sum(), qkv)
            results.append(result)
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for name in ("query_positions.rows", "value_positions.columns", "similarity_norm.weight", "qkv"):
            assert torch.equal(results[0][name], other[name])


def test_without_a_compiler_there_are_no_kernels(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", "on")
    monkeypatch.setenv("CC", "no-such-compiler")
    assert not kernels.available(torch.float32)
    module = ready(LocalAttention(8, 2, 3), train=True)
    module(images(1, 8, 4, 4)).sum().backward()
    with pytest.raises(RuntimeError, match=r"no attention kernels for torch\.float32"):
        kernels.run(torch.float32, Problem(), Task.ATTEND, 1)


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache folder without libraries; kernels are asked for."""
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@needs_compiler
def test_a_failing_compiler_is_reported_and_attention_runs_without(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(kernels, "BUILD", replace(kernels.BUILD, flags=("--no-such-flag",)))
    assert not kernels.available(torch.float32)
    assert "without its C kernels" in caplog.text
    assert "no-such-flag" in caplog.text
    assert not list(empty_cache.glob("**/*.so"))


@needs_compiler
@pytest.mark.parametrize(
    ("line", "more", "message"),
    [
        ("    int64_t images,", "    int64_t added;\n", "structure Problem has {0} bytes in C and {1} in Python"),
        # 10 of them are in a problem
        ("    REAL *data;", "    int64_t added;\n", "structure Maps has {2} bytes in C and {3} in Python"),
    ],
    ids=["problem", "maps"],
)
def test_structures_of_another_size_are_refused_when_the_library_is_loaded(
    line: str,
    more: str,
    message: str,
    empty_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    for header in kernels.BUILD.source.parent.glob("*.h"):
        text = header.read_text()
        assert header.name != "problem.h" or text.count(line) == 1
        (tmp_path / header.name).write_text(text.replace(line, more + line))
    source = tmp_path / "sizes.c"
    sizes = [f"int64_t size_of_{name.lower()}(void) {{ return sizeof({name}); }}" for name in ("Problem", "Maps")]
    source.write_text("\n".join(['#include "problem.h"', *sizes, ""]))
    monkeypatch.setattr(kernels, "BUILD", replace(kernels.BUILD, source=source))
    problem, maps = ctypes.sizeof(Problem), ctypes.sizeof(Maps)
    assert not kernels.available(torch.float32)
    assert "without its C kernels" in caplog.text
    assert message.format(problem + 8, problem, maps + 8, maps) in caplog.text
    assert "problem.h and problem.py must declare the same fields" in caplog.text


@needs_compiler
def test_a_compiler_without_openmp_still_makes_kernels(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    refusing = tmp_path / "refusing"
    calls = tmp_path / "calls"
    refusing.write_text(
        f'#!/bin/sh\necho "$*" >> {calls}\ncase "$*" in *-fopenmp*) exit 1;; esac\nexec {shutil.which("cc")} "$@"\n'
    )
    refusing.chmod(0o755)
    monkeypatch.setenv("CC", str(refusing))
    monkeypatch.setattr(kernels, "BUILD", replace(kernels.BUILD, openmp=True))
    take("kernel", monkeypatch)
    assert ["-fopenmp" in call for call in calls.read_text().splitlines() if "-shared" in call] == [True, False]
    module, x = ready(LocalAttention(8, 2, 3), train=True), images(8, 8, 5, 4)
    by_kernel = gradients(module, x, nn.Module.__call__)
    take("tensors", monkeypatch)
    assert_same(by_kernel, gradients(module, x, nn.Module.__call__))
