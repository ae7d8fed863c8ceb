"""Attention written out one output at a time, the paths that operators can take, comparison of all gradients."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from trionet_bench.networks.attention import kernels
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.operators.axial import AxialAttention, LineAttention
from trionet_bench.networks.operators.crisscross import CrissCrossAttention
from trionet_bench.networks.operators.local import LocalAttention
from trionet_bench.networks.operators.nonlocal_attention import NonLocalAttention

PATHS = ["kernel", "tensors", "exported"]


def take(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make attention run by the C kernels, by tensor operations, or as it does for export."""
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
    module: LocalAttention | LineAttention | CrissCrossAttention | NonLocalAttention,
    keys_of: Callable[[int, int], list[tuple[int, int]]],
    offset: Callable[[Tensor | nn.Module, int, int], Tensor] | None = None,
    sensitive: bool = False,
) -> Tensor:
    """Attention over the listed keys; ``offset(table, down, right)`` is a position vector, without which the logits are
    q.k over the square root of their size.
    """
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
            qk.append((query * key).sum(1) / (1 if offset else d**0.5))
            if not offset:
                continue
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
                    if sensitive and offset:
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


def crisscross_slowly(module: CrissCrossAttention, x: Tensor) -> Tensor:
    height, width = x.shape[2:]

    def keys_of(y: int, x: int) -> list[tuple[int, int]]:
        return [(y, j) for j in range(width)] + [(i, x) for i in range(height) if i != y]

    return pool_slowly(attend_slowly(x, module, keys_of), module.stride)


def nonlocal_slowly(module: NonLocalAttention, x: Tensor) -> Tensor:
    everywhere = [(i, j) for i in range(x.shape[2]) for j in range(x.shape[3])]
    return pool_slowly(attend_slowly(x, module, lambda y, x: everywhere), module.stride)


def gradients(module: nn.Module, x: Tensor, function: Callable[[nn.Module, Tensor], Tensor]) -> dict[str, Tensor]:
    """Value and all gradients of a random projection of the output."""
    x = x.clone().requires_grad_()
    parameters = dict(module.named_parameters())
    output = function(module, x)
    total = (output * images(*output.shape, seed=2).to(output.dtype)).sum()
    grads = torch.autograd.grad(total, [x, *parameters.values()], allow_unused=True)
    zeros = [torch.zeros_like(t) if g is None else g for t, g in zip([x, *parameters.values()], grads, strict=True)]
    return {"output": output.detach(), **dict(zip(["x", *parameters], zeros, strict=True))}


def assert_same(result: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = 1e-9) -> None:
    for name, value in expected.items():
        torch.testing.assert_close(
            result[name].double(), value, rtol=tolerance, atol=tolerance * max(1.0, float(value.abs().max())), msg=name
        )


def operators() -> Iterator[tuple[str, Callable[[tuple[int, int]], nn.Module]]]:
    for terms in ("plain", "position_sensitive"):
        for window in (3, 5, 7):
            yield (
                f"local {window} {terms}",
                lambda size, w=window, t=terms: LocalAttention(16, 4, w, 0.5, 1.0, terms=t),
            )
    yield "axial", lambda size: AxialAttention(16, 4, size)
    yield "crisscross", lambda size: CrissCrossAttention(16, 4)
    yield "nonlocal", lambda size: NonLocalAttention(16, 4)
