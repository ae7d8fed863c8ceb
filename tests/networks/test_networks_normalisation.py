"""The kernel of batch normalisation against torch's operations in float64: values, gradients, running statistics."""

import shutil

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from trionet_bench.benchmarks import normalisation as benchmark
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.networks.layers import BatchNorm, initialise
from trionet_bench.networks.normalisation import kernel
from trionet_bench.networks.normalisation.fused import normalise
from trionet_bench.networks.platform import NetworkPlatform
from trionet_bench.networks.sharing import channels
from trionet_bench.training.platform import Resources
from trionet_bench.training.torch_platform import TorchPlatform

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")


@pytest.fixture(autouse=True)
def _on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is used for maps of any size."""
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", "on")
    monkeypatch.setattr(kernel, "LEAST", 0)


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_torch(x: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None, rectified: bool) -> Tensor:
    y = F.batch_norm(x, None, None, weight, bias, training=True, eps=1e-5)
    y = y if shortcut is None else y + shortcut
    return F.relu(y) if rectified else y


def by_kernel(x: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None, rectified: bool) -> Tensor:
    return normalise(x, weight, bias, 1e-5, shortcut, rectified)[0]


# Rows of a channel that fill vectors, that are shorter than one, and that leave a rest.
SHAPES = [(3, 5, 4, 7), (4, 3, 8, 8), (9, 2, 1, 1), (5, 7, 3, 3), (2, 3, 13, 17)]


@pytest.mark.parametrize("rectified", [True, False], ids=["relu", "linear"])
@pytest.mark.parametrize("with_shortcut", [True, False], ids=["shortcut", "no shortcut"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients(shape: tuple[int, ...], with_shortcut: bool, rectified: bool):
    values = [3 + 2 * images(*shape), 1 + images(shape[1], seed=1), images(shape[1], seed=2), images(*shape, seed=3)]
    gradient = images(*shape, seed=4)

    def results(function: benchmark.Function, dtype: torch.dtype) -> list[Tensor]:
        inputs = [value.to(dtype).requires_grad_() for value in values[: 3 + with_shortcut]]
        y = function(inputs[0], inputs[1], inputs[2], inputs[3] if with_shortcut else None, rectified)
        return [y.detach(), *torch.autograd.grad(y, inputs, gradient.to(dtype))]

    exact = results(by_torch, torch.float64)
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-4)):
        assert kernel.available(values[0].to(dtype))
        for ours, theirs in zip(results(by_kernel, dtype), exact, strict=True):
            scale = max(1.0, float(theirs.abs().max()))
            torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_running_statistics_are_torchs(momentum: float | None, monkeypatch: pytest.MonkeyPatch):
    norms = []
    for kernels in ("on", "off"):
        monkeypatch.setenv("TRIONET_BENCH_KERNELS", kernels)
        norm = initialise(BatchNorm(channels(3)), 0).double().train()
        norm.momentum = momentum
        for seed in range(3):
            norm(1 + images(4, 3, 5, 5, seed=seed))
        norms.append(norm)
    for name, buffer in norms[0].named_buffers():
        torch.testing.assert_close(buffer, norms[1].get_buffer(name), rtol=1e-12, atol=0, msg=name)
    assert norms[0].num_batches_tracked == 3


def test_what_is_no_number_stays_so_through_the_relu():
    x = images(2, 2, 4, 4)
    x[0, 1, 2, 3] = torch.nan
    y = by_kernel(x, torch.ones(2).double(), torch.zeros(2).double(), None, True)
    assert y[:, 0].isfinite().all() and y[:, 1].isnan().all()


def test_it_is_exact_where_the_mean_is_large():
    # 1e4 times the deviation: of a sum of images in float32 the mean is known to 1e-4 deviations only.
    x, one, zero = (1e4 + images(8, 1, 16, 16)).float(), torch.ones(1), torch.zeros(1)
    exact = by_torch(x.double(), one.double(), zero.double(), None, False)
    torch.testing.assert_close(by_kernel(x, one, zero, None, False).double(), exact, rtol=0, atol=2e-6)


def test_results_do_not_depend_on_the_number_of_threads():
    x, ones = images(4, 6, 9, 9).float(), torch.ones(6)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(by_kernel(x, ones, ones, None, True))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])


def test_where_it_is_not_used(monkeypatch: pytest.MonkeyPatch):
    x = images(2, 4, 5, 5).float()
    assert kernel.available(x)
    assert not kernel.available(x.to(torch.bfloat16))
    assert not kernel.available(x.contiguous(memory_format=torch.channels_last))
    assert not kernel.available(x.to("meta"))
    monkeypatch.setattr(kernel, "LEAST", 1000)
    assert not kernel.available(x)
    monkeypatch.setattr(kernel, "LEAST", 0)
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", "off")
    assert not kernel.available(x)


def test_its_benchmark_compares_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(benchmark, "MAPS", ((2, 4, 6),))
    found = benchmark.measure(Setting("cpu", samples=1), lambda *_: None)
    assert [row["part"] for row in found["cases"]] == list(benchmark.PARTS)
    (target,) = found["targets"]
    assert target["found"] == max(row["ratio"] for row in found["cases"])


def test_records_say_what_ran_in_c(monkeypatch: pytest.MonkeyPatch):
    platform = NetworkPlatform(Resources("cpu", 1))
    monkeypatch.setattr(TorchPlatform, "prepare", lambda self: {"threads": 1})  # leaves this process as it is
    assert platform.prepare() == {"threads": 1, "kernels": "attention in C, batch normalisation in C"}
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", "off")
    assert platform.prepare()["kernels"] == "none: off by TRIONET_BENCH_KERNELS"
