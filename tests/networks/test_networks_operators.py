"""Every operator against the formula written out pixel by pixel in float64, on every path it can take."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from support.attention import (
    assert_same,
    axial_slowly,
    crisscross_slowly,
    gradients,
    images,
    local_slowly,
    nonlocal_slowly,
    normalise_channels,
    operators,
    ready,
)
from torch import Tensor, nn

from trionet_bench.networks.operators.axial import AxialAttention
from trionet_bench.networks.operators.conv import Convolution
from trionet_bench.networks.operators.crisscross import CrissCrossAttention
from trionet_bench.networks.operators.local import LocalAttention
from trionet_bench.networks.operators.nonlocal_attention import NonLocalAttention

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
        result = gradients(module, images(batch, 16, height, width), nn.Module.__call__)
        assert_same(result, expected_local(case, terms, train))


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
    result = gradients(module, images(batch, 16, *size), nn.Module.__call__)
    assert_same(result, expected_axial(case, train), 1e-8)


@cache
def expected_axial(case: tuple, train: bool) -> dict[str, Tensor]:
    heads, qk, v, stride, size, span, batch = case
    module = ready(AxialAttention(16, heads, span, qk, v, stride), train)
    return gradients(module, images(batch, 16, *size), axial_slowly)


# heads, qk, v, stride, (height, width), batch
DOT_PRODUCT = [
    (2, 1.0, 1.0, 1, (4, 4), 8),
    (4, 0.5, 1.0, 2, (5, 3), 4),
    (8, 1.0, 0.5, 1, (1, 6), 2),
    (2, 0.5, 0.5, 2, (3, 2), 9),
]


@pytest.mark.parametrize(
    ("kind", "slowly"), [(CrissCrossAttention, crisscross_slowly), (NonLocalAttention, nonlocal_slowly)]
)
@pytest.mark.parametrize("case", DOT_PRODUCT, ids=str)
def test_attention_without_positions_is_its_formula(kind: type, slowly: Callable, case: tuple, path: str):
    heads, qk, v, stride, size, batch = case
    module = ready(kind(16, heads, qk, v, stride), train=True)
    result = gradients(module, images(batch, 16, *size), nn.Module.__call__)
    assert_same(result, expected_without_positions(kind, slowly, case), 1e-8)


@cache
def expected_without_positions(kind: type, slowly: Callable, case: tuple) -> dict[str, Tensor]:
    heads, qk, v, stride, size, batch = case
    return gradients(ready(kind(16, heads, qk, v, stride), train=True), images(batch, 16, *size), slowly)


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
    # Recalibration puts nothing but norms into training mode.
    for module in (LocalAttention(8, 2, 3, terms="position_sensitive"), AxialAttention(8, 2, (4, 4))):
        ready(module, train=True)
        expected = module(images(2, 8, 4, 4))
        module.eval()
        for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.train()
        torch.testing.assert_close(module(images(2, 8, 4, 4)), expected)


# Borders, types, refusals.


@pytest.mark.parametrize("terms", ["plain", "position_sensitive"])
def test_weights_sum_to_one_at_borders(terms: str, path: str):
    # With values of one everywhere every position retrieves one; a key of zeros outside the map would dilute it.
    module = ready(LocalAttention(4, 2, 5, terms=terms), train=False)
    project = module.project
    qkv = images(2, 2 * (2 * project.qk_size + project.v_size), 4, 6)
    qkv[:, 2 * 2 * project.qk_size :] = 1
    with torch.no_grad():
        content = module.retrieve(qkv)
    torch.testing.assert_close(content[:, :4], torch.ones(2, 4, 4, 6, dtype=torch.float64))


@pytest.mark.parametrize("build", [build for _, build in operators()], ids=[name for name, _ in operators()])
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("autocast", [True, False], ids=["autocast", "bfloat16"])
def test_bfloat16_is_close(build: Callable[[tuple[int, int]], nn.Module], autocast: bool, train: bool, path: str):
    if train and path == "exported":
        pytest.skip("networks are exported to be used, not trained")
    exact = ready(build((6, 5)), train)
    x = images(4, 16, 6, 5)
    expected = gradients(exact, x, nn.Module.__call__)
    rough = ready(build((6, 5)), train).to(torch.float32 if autocast else torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        result = gradients(rough, x.to(torch.float32 if autocast else torch.bfloat16), nn.Module.__call__)
    assert result["output"].dtype == torch.bfloat16
    for name in ("output", "x"):  # bfloat16 keeps 8 bits: 1/256 for each of a few roundings
        error = (result[name].double() - expected[name]).norm() / expected[name].norm()
        assert error < 0.05, (name, float(error))


@pytest.mark.parametrize("size", [(5, 4), (4, 7)])
def test_axial_attention_refuses_what_its_tables_do_not_span(size: tuple[int, int]):
    module = ready(AxialAttention(8, 2, (4, 6)), train=False)
    module(images(1, 8, 4, 6))
    with pytest.raises(ValueError, match=f"over {5 if size[0] == 5 else 7} pixels, but its position tables span"):
        module(images(1, 8, *size))
