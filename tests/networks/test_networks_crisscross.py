"""The kernel of criss-cross attention against its formula, position by position in float64: values and gradients."""

from collections.abc import Callable

import pytest
import torch
from support.attention import images, ready
from torch import Tensor

from trionet_bench.networks.attention import cross, kernels
from trionet_bench.networks.attention.window import split_heads
from trionet_bench.networks.operators.crisscross import CrissCrossAttention

pytestmark = pytest.mark.skipif(not kernels.available(torch.float64), reason="no C compiler here")
HEADS, QK, V = 3, 4, 6
# The maps of the spaces, then sides that no vector and no group of queries divides, and single rows and columns.
SIZES = [
    *((28, 28), (16, 16), (14, 14), (8, 8), (7, 7), (4, 4), (2, 2)),
    *((13, 17), (3, 40), (9, 5), (1, 1), (1, 9), (11, 1)),
]


def slowly(qkv: Tensor) -> Tensor:
    """Each position by itself, over a list of the positions in line with it."""
    height, width = qkv.shape[2:]
    q, k, v = (part.flatten(3).unbind(3) for part in split_heads(qkv, HEADS, QK, V))  # (B, n, d) by position
    retrieved = []
    for y in range(height):
        for x in range(width):
            keys = [(y, j) for j in range(width)] + [(i, x) for i in range(height) if i != y]
            near, values = (torch.stack([of[i * width + j] for i, j in keys], 3) for of in (k, v))
            logits = (q[y * width + x][..., None] * near).sum(2) / QK**0.5  # (B, n, H + W - 1)
            retrieved.append((values * logits.softmax(2)[:, :, None]).sum(3))
    return torch.stack(retrieved, 3).flatten(1, 2).unflatten(2, (height, width))


def quickly(qkv: Tensor) -> Tensor:
    return cross.attend(qkv, HEADS, QK, V)


def inputs(batch: int, size: tuple[int, int]) -> Tensor:
    return images(batch, HEADS * (2 * QK + V), *size)


def results(function: Callable[[Tensor], Tensor], qkv: Tensor) -> list[Tensor]:
    """Output and gradient."""
    qkv.requires_grad_()
    output = function(qkv)
    (gradient,) = torch.autograd.grad(output, qkv, images(*output.shape, seed=2).to(qkv.dtype))
    return [output.detach().double(), gradient.double()]


def check(batch: int, size: tuple[int, int]) -> None:
    """In both types, to a share of the largest value."""
    expected = results(slowly, inputs(batch, size))
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 5e-6)):
        for ours, theirs in zip(results(quickly, inputs(batch, size).to(dtype)), expected, strict=True):
            assert float((ours - theirs).abs().max() / theirs.abs().max()) < tolerance


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_kernel_is_its_formula(size: tuple[int, int]):
    check(1 if min(size) > 20 else 3, size)  # 9 maps: full vectors and a lane, or half of a vector


@pytest.mark.parametrize("batch", [1, 2, 6, 11])
@pytest.mark.parametrize("size", [(5, 3), (1, 1), (3, 16)], ids=str)
def test_any_number_of_maps(batch: int, size: tuple[int, int]):
    check(batch, size)  # 3 to 33 maps


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_position_meets_itself_once(dtype: torch.dtype):
    # Equal keys: the mean over 5 + 7 - 1 positions.
    qkv = inputs(2, (5, 7)).to(dtype)
    qkv[:, HEADS * QK : 2 * HEADS * QK] = 1
    v = qkv[:, 2 * HEADS * QK :]
    expected = (v.sum(3, keepdim=True) + v.sum(2, keepdim=True) - v) / 11
    torch.testing.assert_close(quickly(qkv), expected)


@pytest.mark.parametrize("logit", [1e4, -1e4])
def test_logits_far_apart(logit: float):
    # One key has large products with all queries: those in line with it retrieve its value alone, or nothing of it.
    qkv = torch.zeros(1, HEADS * (2 * QK + V), 6, 5)
    qkv[:, : HEADS * QK] = 1
    qkv[:, HEADS * QK : 2 * HEADS * QK, 2, 3] = logit
    qkv[:, 2 * HEADS * QK :, 2, 3] = 7
    expected = torch.zeros(1, HEADS * V, 6, 5)
    if logit > 0:
        expected[:, :, 2, :] = expected[:, :, :, 3] = 7
    qkv.requires_grad_()
    retrieved = quickly(qkv)
    retrieved.sum().backward()
    torch.testing.assert_close(retrieved, expected)
    assert qkv.grad.isfinite().all()


@pytest.mark.parametrize(("images_", "taken"), [(3, False), (4, True), (5, True)])
def test_the_kernel_is_for_maps_that_fill_vectors(images_: int, taken: bool, monkeypatch: pytest.MonkeyPatch):
    # 4 heads each
    calls: list[torch.dtype] = []
    attend = cross.attend

    def noted(qkv: Tensor, *sizes: int) -> Tensor:
        calls.append(qkv.dtype)
        return attend(qkv, *sizes)

    monkeypatch.setenv("TRIONET_BENCH_KERNELS", "on")
    monkeypatch.setattr(cross, "attend", noted)
    module = ready(CrissCrossAttention(16, 4), train=False)
    module(images(images_, 16, 3, 5))
    module.bfloat16()(images(images_, 16, 3, 5).bfloat16())
    assert calls == ([torch.float64, torch.float32] if taken else [])
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", "off")
    module.double()(images(images_, 16, 3, 5))
    assert len(calls) == 2 * taken
