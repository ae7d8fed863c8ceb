"""Attention by tensor operations against the C kernels in float64: values, moments and all gradients."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from trionet_bench.networks.attention import blocks, kernels
from trionet_bench.networks.attention.layers import BLOCKS, KERNELS, LINES, Implementation
from trionet_bench.networks.attention.window import Lines, Window


def assert_agree(compute: Callable[[Implementation], Tensor], inputs: list[Tensor], ours: Implementation) -> None:
    """To 1e-12 of the largest value of the kernel's, in the result and in the gradient of each input."""

    def results(implementation: Implementation) -> list[Tensor]:
        output = compute(implementation)
        direction = torch.randn(output.shape, dtype=output.dtype, generator=torch.Generator().manual_seed(1))
        return [output.detach(), *torch.autograd.grad((output * direction).sum(), inputs)]

    for mine, theirs in zip(results(ours), results(KERNELS), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12 * max(1.0, float(theirs.abs().max())))


def inputs_of(geometry: Window, batch: int, size: tuple[int, int]) -> tuple[Tensor, list[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(batch, geometry.heads * (2 * geometry.qk + geometry.v), *size), *((s,) for s in geometry.table_sizes())]
    qkv, *tables = (torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_() for shape in shapes)
    scale = (torch.rand(geometry.heads, 3, dtype=torch.float64, generator=generator) + 0.5).requires_grad_()
    return qkv, tables, scale


# The maps of ImageNet, then sides of one block beside sides of several, the last of them partly off the map.
MAPS = [(56, 56), (28, 28), (14, 14), (7, 7), (33, 40), (9, 21), (1, 19)]


@pytest.mark.skipif(not kernels.available(torch.float64), reason="no C compiler here")
@pytest.mark.parametrize("rows", [3, 7])
@pytest.mark.parametrize("size", MAPS, ids=str)
def test_blocks_are_the_kernel(size: tuple[int, int], rows: int):
    geometry = Window(2, 4, 6, 2, 3, rows, rows)
    qkv, tables, scale = inputs_of(geometry, 1 if min(size) > 28 else 3, size)
    assert_agree(lambda by: by.attend(geometry, qkv, tables[0]), [qkv, tables[0]], BLOCKS)
    assert_agree(lambda by: by.attend(geometry, qkv, *tables, scale), [qkv, *tables, scale], BLOCKS)
    assert_agree(lambda by: by.observe(geometry, qkv, *tables[:2]), [qkv, *tables[:2]], BLOCKS)


@pytest.mark.skipif(not kernels.available(torch.float64), reason="no C compiler here")
@pytest.mark.parametrize("direction", ["rows", "columns"])
@pytest.mark.parametrize("size", [(56, 7), (7, 56), (13, 17), (1, 1)], ids=str)
def test_lines_are_the_kernel(size: tuple[int, int], direction: Lines):
    length = size[1] if direction == "rows" else size[0]
    geometry = Window(2, 4, 6, 0, 0, 1, 2 * length - 1, direction)
    qkv, tables, scale = inputs_of(geometry, 2, size)
    assert_agree(lambda by: by.attend(geometry, qkv, *tables, scale), [qkv, *tables, scale], LINES)
    assert_agree(lambda by: by.observe(geometry, qkv, *tables[:2]), [qkv, *tables[:2]], LINES)


def test_what_lies_outside_of_the_window_has_no_weight_however_large_it_is():
    # One key has large products with all queries, 2e4, but a value for those around it only.
    geometry = Window(1, 2, 2, 1, 1, 3, 3)
    qkv = torch.zeros(1, 6, 20, 20, dtype=torch.float64)
    qkv[:, :2], qkv[:, 2:4, 10, 10], qkv[:, 4:, 10, 10] = 1, 1e4, 1
    retrieved = blocks.attend(geometry, qkv, torch.zeros(6, dtype=torch.float64))
    expected = torch.zeros(20, 20, dtype=torch.float64)
    expected[9:12, 9:12] = 1
    assert torch.equal(retrieved[0, 0], expected)
