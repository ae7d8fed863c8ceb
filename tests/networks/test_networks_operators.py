"""Every operator against the formula written out pixel by pixel in float64, on every path it can take."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.networks.attention import kernels
from trionet_bench.networks.attention import layers as attention
from trionet_bench.networks.attention import unfolded as windows
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.operators.axial import AxialAttention, LineAttention
from trionet_bench.networks.operators.conv import Convolution
from trionet_bench.networks.operators.local import LocalAttention

PATHS = ["kernel", "tensors", "exported"]


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    take(request.param, monkeypatch)
    return request.param


def take(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if path == "kernel" and not kernels.available(torch.float64):
        pytest.skip("no C compiler here")
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", "on" if path == "kernel" else "off")
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: path == "exported")


def ready(module: nn.Module, train: bool, seed: int = 0) -> nn.Module:
    """In float64, with norms that do something."""
    generator = torch.Generator().manual_seed(seed)
    initialise(module, seed)
    with torch.no_grad():
        for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
            for tensor in (norm.weight, norm.bias, norm.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
            norm.running_var.copy_(torch.rand(norm.running_var.shape, generator=generator) + 0.5)
    return module.double().train(train)


def images(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# The formulas, one output at a time.


def normalise(values: Tensor, norm: nn.BatchNorm2d, channel: int) -> Tensor:
    """Batch normalisation of all values of one channel."""
    if norm.training:
        mean, variance = values.mean(), values.var(correction=0)
    else:
        mean, variance = norm.running_mean[channel], norm.running_var[channel]
    return (values - mean) / (variance + 1e-5).sqrt() * norm.weight[channel] + norm.bias[channel]


def normalise_channels(x: Tensor, norm: nn.Module) -> Tensor:
    if isinstance(norm, nn.Identity):
        return x
    return torch.stack([normalise(x[:, c], norm, c) for c in range(x.shape[1])], dim=1)


def attend_slowly(
    x: Tensor,
    module: LocalAttention | LineAttention,
    keys_of: Callable[[int, int], list[tuple[int, int]]],
    offset: Callable[[Tensor | nn.Module, int, int], Tensor],
    sensitive: bool,
) -> Tensor:
    """Attention over the listed keys; ``offset(table, down, right)`` is a position vector."""
    project = module.project
    n, d, e = project.count, project.qk_size, project.v_size
    qkv = normalise_channels(torch.einsum("oi,bihw->bohw", project.qkv.weight[:, :, 0, 0], x), project.norm)
    q, k, v = qkv[:, : n * d], qkv[:, n * d : 2 * n * d], qkv[:, 2 * n * d :]
    height, width = x.shape[2:]
    contents, placements = [], []
    for head in range(n):
        qh, kh, vh = q[:, head * d :][:, :d], k[:, head * d :][:, :d], v[:, head * e :][:, :e]
        pairs = [(y, x, *key) for y in range(height) for x in range(width) for key in keys_of(y, x)]
        qk, qr, kr = [], [], []
        for y, x_, ky, kx in pairs:
            query, key = qh[:, :, y, x_], kh[:, :, ky, kx]  # (B, d)
            qk.append((query * key).sum(1))
            qr.append((query * offset(module.query_positions, ky - y, kx - x_)).sum(1))
            if sensitive:
                kr.append((key * offset(module.key_positions, ky - y, kx - x_)).sum(1))
        terms = [torch.stack(term) for term in (qk, qr, kr) if term]  # (pairs, B)
        if sensitive:
            terms = [normalise(term, module.similarity_norm, t * n + head) for t, term in enumerate(terms)]
        logits = sum(terms)
        content, placed = torch.zeros_like(vh), torch.zeros_like(vh)
        for y in range(height):
            for x_ in range(width):
                mine = [i for i, pair in enumerate(pairs) if pair[:2] == (y, x_)]
                weights = logits[mine].softmax(0)
                for weight, i in zip(weights, mine, strict=True):
                    ky, kx = pairs[i][2:]
                    at = torch.zeros_like(vh)
                    at[:, :, y, x_] = 1
                    content = content + at * (weight[:, None] * vh[:, :, ky, kx])[:, :, None, None]
                    if sensitive:
                        r = offset(module.value_positions, ky - y, kx - x_)
                        placed = placed + at * (weight[:, None] * r)[:, :, None, None]
        contents.append(content)
        placements.append(placed)
    content = torch.cat(contents, 1)
    if not sensitive:
        return normalise_channels(content, module.norm)
    both = normalise_channels(torch.cat([content, *placements], 1), module.retrieval_norm)
    return both[:, : n * e] + both[:, n * e :]


def pool_slowly(x: Tensor, stride: int) -> Tensor:
    height, width = x.shape[2:]
    rows = [
        torch.stack([x[:, :, i : i + stride, j : j + stride].mean((2, 3)) for j in range(0, width, stride)], 2)
        for i in range(0, height, stride)
    ]
    return torch.stack(rows, 2)


def local_slowly(module: LocalAttention, x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    reach = module.window // 2

    def keys_of(y: int, x: int) -> list[tuple[int, int]]:
        near = [(y + i, x + j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)]
        return [(i, j) for i, j in near if 0 <= i < height and 0 <= j < width]

    def offset(table: nn.Module, down: int, right: int) -> Tensor:
        return torch.cat([table.rows[:, down + reach], table.columns[:, right + reach]])

    return pool_slowly(attend_slowly(x, module, keys_of, offset, module.sensitive), module.stride)


def axial_slowly(module: AxialAttention, x: Tensor) -> Tensor:
    height, width = x.shape[2:]

    def down_column(table: Tensor, down: int, right: int) -> Tensor:
        return table[:, module.height.span - 1 + down]

    def along_row(table: Tensor, down: int, right: int) -> Tensor:
        return table[:, module.width.span - 1 + right]

    x = attend_slowly(x, module.height, lambda y, x: [(i, x) for i in range(height)], down_column, True)
    x = attend_slowly(x, module.width, lambda y, x: [(y, i) for i in range(width)], along_row, True)
    return pool_slowly(x, module.stride)


def gradients(module: nn.Module, x: Tensor, function: Callable[[nn.Module, Tensor], Tensor]) -> dict[str, Tensor]:
    """Value and all gradients of a random projection of the output."""
    x = x.clone().requires_grad_()
    parameters = dict(module.named_parameters())
    output = function(module, x)
    total = (output * images(*output.shape, seed=2).to(output.dtype)).sum()
    grads = torch.autograd.grad(total, [x, *parameters.values()], allow_unused=True)
    zeros = [torch.zeros_like(t) if g is None else g for t, g in zip([x, *parameters.values()], grads, strict=True)]
    return {"output": output.detach(), **dict(zip(["x", *parameters], zeros, strict=True))}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = 1e-9) -> None:
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name].double(), value, rtol=tolerance, atol=tolerance * max(1.0, float(value.abs().max())), msg=name
        )


# heads, window, qk, v, stride, (height, width), batch
LOCAL = [
    (2, 3, 1.0, 1.0, 1, (4, 4), 2),
    (4, 5, 0.5, 1.0, 1, (5, 3), 2),
    (8, 7, 1.0, 0.5, 1, (3, 4), 1),
    (4, 7, 1.0, 1.0, 2, (5, 5), 1),
    (2, 3, 0.5, 0.5, 2, (3, 6), 5),
    (2, 7, 1.0, 1.0, 1, (9, 2), 1),
    (4, 5, 1.0, 1.0, 1, (1, 1), 3),
]


@pytest.mark.parametrize("terms", ["plain", "position_sensitive"])
@pytest.mark.parametrize("case", LOCAL, ids=str)
def test_local_attention_is_its_formula(case: tuple, terms: str, path: str):
    heads, window, qk, v, stride, (height, width), batch = case
    for train in (True, False) if batch * height * width > 3 else (False,):
        module = ready(LocalAttention(16, heads, window, qk, v, stride, terms), train)
        found = gradients(module, images(batch, 16, height, width), nn.Module.__call__)
        assert_same(found, expected_local(case, terms, train))


@cache
def expected_local(case: tuple, terms: str, train: bool) -> dict[str, Tensor]:
    heads, window, qk, v, stride, size, batch = case
    module = ready(LocalAttention(16, heads, window, qk, v, stride, terms), train)
    return gradients(module, images(batch, 16, *size), local_slowly)


# heads, qk, v, stride, (height, width), span, batch
AXIAL = [
    (2, 0.5, 1.0, 1, (4, 4), (4, 4), 2),
    (4, 1.0, 1.0, 1, (5, 3), (7, 3), 1),
    (8, 0.5, 0.5, 2, (3, 5), (6, 9), 2),
    (4, 0.5, 1.0, 2, (2, 7), (2, 8), 3),
]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("case", AXIAL, ids=str)
def test_axial_attention_is_its_formula(case: tuple, train: bool, path: str):
    heads, qk, v, stride, size, span, batch = case
    module = ready(AxialAttention(16, heads, span, qk, v, stride), train)
    found = gradients(module, images(batch, 16, *size), nn.Module.__call__)
    assert_same(found, expected_axial(case, train), 1e-8)


@cache
def expected_axial(case: tuple, train: bool) -> dict[str, Tensor]:
    heads, qk, v, stride, size, span, batch = case
    module = ready(AxialAttention(16, heads, span, qk, v, stride), train)
    return gradients(module, images(batch, 16, *size), axial_slowly)


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 1, (5, 4)), (5, 2, (5, 6)), (3, 2, (4, 4)), (7, 1, (3, 3))])
def test_convolution_is_its_formula(kernel: int, stride: int, size: tuple[int, int]):
    def slowly(module: Convolution, x: Tensor) -> Tensor:
        padded = F.pad(x, [kernel // 2] * 4)
        out = [
            torch.stack(
                [
                    torch.einsum("bihw,oihw->bo", padded[:, :, i : i + kernel, j : j + kernel], module.conv.weight)
                    for j in range(0, size[1], stride)
                ],
                2,
            )
            for i in range(0, size[0], stride)
        ]
        return normalise_channels(torch.stack(out, 2), module.norm)

    module = ready(Convolution(4, kernel, stride), train=True)
    x = images(2, 4, *size)
    assert_same(gradients(module, x, nn.Module.__call__), gradients(module, x, slowly))


# Running statistics.


def test_running_statistics_of_similarities_are_those_of_batch_norm_over_the_pairs_on_the_map(path: str):
    module = ready(LocalAttention(8, 2, 3, terms="position_sensitive"), train=True)
    module.similarity_norm.reset_running_stats()
    x = images(3, 8, 4, 5)
    module(x)
    qkv = module.project.norm(module.project.qkv(x))
    terms = qkv[:, :8], qkv[:, 8:16]
    for head in range(2):
        q, k = (t[:, head * 4 :][:, :4] for t in terms)
        values = [
            (q[:, :, y, x_] * k[:, :, y + i, x_ + j]).sum(1)
            for y in range(4)
            for x_ in range(5)
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            if 0 <= y + i < 4 and 0 <= x_ + j < 5
        ]
        values = torch.cat(values)
        assert len(values) == module.geometry.valid_pairs(x)
        torch.testing.assert_close(module.similarity_norm.running_mean[head], 0.1 * values.mean())
        torch.testing.assert_close(module.similarity_norm.running_var[head], 0.9 + 0.1 * values.var(correction=1))


def test_statistics_follow_the_norm_not_the_operator(path: str):
    # Recalibration puts norms alone into training mode.
    for module in (LocalAttention(8, 2, 3, terms="position_sensitive"), AxialAttention(8, 2, (4, 4))):
        ready(module, train=True)
        expected = module(images(2, 8, 4, 4))
        module.eval()
        for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.train()
        torch.testing.assert_close(module(images(2, 8, 4, 4)), expected)


# Paths against each other, at the sizes of the spaces.

SIZES = [(16, 16), (8, 8), (4, 4), (2, 2), (7, 7), (14, 14), (28, 28), (13, 17)]


def operators() -> Iterator[tuple[str, Callable[[tuple[int, int]], nn.Module]]]:
    for terms in ("plain", "position_sensitive"):
        for window in (3, 5, 7):
            yield (
                f"local {window} {terms}",
                lambda size, w=window, t=terms: LocalAttention(16, 4, w, 0.5, 1.0, terms=t),
            )
    yield "axial", lambda size: AxialAttention(16, 4, size)


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
    found = {}
    for path in PATHS:
        if path == "kernel" and not kernels.available(torch.float64):
            continue
        take(path, monkeypatch)
        found[path] = gradients(ready(build(size), train=True), x, nn.Module.__call__)
    for path in PATHS[:-1]:
        if path in found:
            assert_same(found[path], found["exported"], 1e-7)


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
    monkeypatch.setattr(windows, "block_shape", lambda height, width, window: shape)
    monkeypatch.setattr(windows, "CACHED", 100)
    assert_same(gradients(module, x, nn.Module.__call__), expected)


# In float32 a vector has 8 or 16 lanes, each a map: 16 columns are adjacent, 14 are in two runs, 6 in more; rows and
# whole maps are turned a square of 8 or 16 positions at a time, the last of which reaches back over the one before.
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
    found = {}
    for path in ("kernel", "tensors"):
        take(path, monkeypatch)
        found[path] = gradients(module, x, nn.Module.__call__)
    assert_same(found["kernel"], {name: value.double() for name, value in found["tensors"].items()}, 1e-3)


@pytest.fixture
def built_anew() -> Iterator[None]:
    """What a test changes of how kernels are built holds for it alone."""
    kernels._library.cache_clear()
    yield
    kernels._library.cache_clear()


@pytest.mark.usefixtures("built_anew")
@pytest.mark.parametrize("width", [16, 32, 64])
def test_kernels_for_processors_with_other_vectors(width: int, monkeypatch: pytest.MonkeyPatch):
    if not kernels.available(torch.float32):
        pytest.skip("no C compiler here")
    x = images(8, 16, 9, 14)
    module = ready(LocalAttention(16, 4, 5, terms="position_sensitive"), train=True)
    axial = ready(AxialAttention(16, 4, (9, 14)), train=True)
    expected = [gradients(built, x, nn.Module.__call__) for built in (module, axial)]
    monkeypatch.setattr(kernels, "FLAGS", (*kernels.FLAGS, f"-DVECTOR={width}", "-Wno-psabi"))
    kernels._library.cache_clear()
    found = [gradients(built.float(), x.float(), nn.Module.__call__) for built in (module, axial)]
    for values, wanted in zip(found, expected, strict=True):
        assert_same({name: value.double() for name, value in values.items()}, wanted, 1e-3)


@pytest.mark.usefixtures("built_anew")
@pytest.mark.parametrize("own", [True, False], ids=["threads of ours", "threads of torch"])
def test_kernel_results_do_not_depend_on_the_number_of_threads(own: bool, monkeypatch: pytest.MonkeyPatch):
    take("kernel", monkeypatch)
    if own:
        monkeypatch.setattr(kernels, "_shares_threads", lambda: False)
    elif not kernels._shares_threads():
        pytest.skip("torch has threads that a C compiler cannot use here")
    module, x = ready(LocalAttention(16, 4, 7, terms="position_sensitive"), train=True).float(), images(9, 16, 6, 6)
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(gradients(module, x.float(), nn.Module.__call__))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        for name in ("query_positions.rows", "value_positions.columns", "similarity_norm.weight"):
            assert torch.equal(found[0][name], other[name])


# Borders, types, refusals.


@pytest.mark.parametrize("terms", ["plain", "position_sensitive"])
def test_weights_sum_to_one_at_borders(terms: str, path: str):
    # With values of one everywhere every position retrieves one; a key of zeros outside the map would dilute it.
    module = ready(LocalAttention(4, 2, 5, terms=terms), train=False)
    project = module.project
    qkv = images(2, 2 * (2 * project.qk_size + project.v_size), 4, 6)
    qkv[:, 2 * 2 * project.qk_size :] = 1
    with torch.no_grad():
        content = module._by_kernel(qkv) if path == "kernel" else module._by_tensors(qkv)
    torch.testing.assert_close(content[:, :4], torch.ones(2, 4, 4, 6, dtype=torch.float64))


@pytest.mark.parametrize("build", [build for _, build in operators()], ids=[name for name, _ in operators()])
@pytest.mark.parametrize("autocast", [True, False])
def test_bfloat16_is_close(build: Callable[[tuple[int, int]], nn.Module], autocast: bool, path: str):
    exact = ready(build((6, 5)), train=False)
    x = images(4, 16, 6, 5)
    expected = gradients(exact, x, nn.Module.__call__)
    rough = ready(build((6, 5)), train=False).to(torch.float32 if autocast else torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = gradients(rough, x.to(torch.float32 if autocast else torch.bfloat16), nn.Module.__call__)
    assert found["output"].dtype == torch.bfloat16
    for name in ("output", "x"):  # bfloat16 keeps 8 bits: 1/256 for each of a few roundings
        error = (found[name].double() - expected[name]).norm() / expected[name].norm()
        assert error < 0.05, (name, float(error))


@pytest.mark.parametrize("size", [(5, 4), (4, 7)])
def test_axial_attention_refuses_what_its_tables_do_not_span(size: tuple[int, int]):
    module = ready(AxialAttention(8, 2, (4, 6)), train=False)
    module(images(1, 8, 4, 6))
    with pytest.raises(ValueError, match=f"over {5 if size[0] == 5 else 7} pixels, but its position tables span"):
        module(images(1, 8, *size))


def test_without_a_compiler_there_are_no_kernels(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    kernels._library.cache_clear()
    try:
        assert not kernels.available(torch.float32)
        module = ready(LocalAttention(8, 2, 3), train=True)
        module(images(1, 8, 4, 4)).sum().backward()
    finally:
        kernels._library.cache_clear()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
def test_a_failing_compiler_is_reported_and_done_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kernels, "FLAGS", ("--no-such-flag",))
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", "on")
    kernels._library.cache_clear()
    try:
        assert not kernels.available(torch.float32)
    finally:
        kernels._library.cache_clear()
    assert "without its C kernels" in caplog.text
    assert "no-such-flag" in caplog.text
    assert not list(tmp_path.glob("**/*.so"))


@pytest.mark.usefixtures("built_anew")
def test_a_compiler_without_openmp_still_makes_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here")
    refusing = tmp_path / "refusing"
    refusing.write_text(f'#!/bin/sh\ncase "$*" in *-fopenmp*) exit 1;; esac\nexec {compiler} "$@"\n')
    refusing.chmod(0o755)
    monkeypatch.setenv("CC", str(refusing))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kernels, "_shares_threads", lambda: True)
    take("kernel", monkeypatch)
    assert not hasattr(kernels._library(torch.float64), "run_all")
    module, x = ready(LocalAttention(8, 2, 3), train=True), images(8, 8, 5, 4)
    found = gradients(module, x, nn.Module.__call__)
    take("tensors", monkeypatch)
    assert_same(found, gradients(module, x, nn.Module.__call__))
