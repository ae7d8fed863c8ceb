"""The benchmark of operators: its references compute the same thing, its rows say what the design says."""

from pathlib import Path

import pytest
import torch
from torch import nn

from trionet_bench.benchmarks import operators
from trionet_bench.benchmarks.operators import CASES, TARGETED, Case, case_peak_bytes, error_of, measure, targets
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.networks.operators.local import LocalAttention

TINY = (
    Case("local", 6, 16, 2, 4, 3, "plain", ("unfold", "shifts", "dense")),
    Case("local", 6, 16, 2, 4, 5, "position_sensitive", ("unfold", "shifts")),
    Case("axial", 6, 16, 2, 4, references=("einsum",)),
    Case("crisscross", 6, 16, 4, 4, references=("tensors",)),
    Case("conv", 6, 16, 2, references=("torch's modules",)),
)
KEYS = {
    *("operator", "window", "channels", "heads", "size", "batch", "device", "dtype", "forward_backward_ms"),
    *("samples_ms", "reference", "reference_ms", "ratio_to_reference", "ratio_to_conv3", "peak_memory_bytes"),
    *("reference_peak_memory_bytes", "gmacs_per_second", "share_of_float32_peak", "share_of_bfloat16_peak"),
}


@pytest.mark.parametrize("case", TINY, ids=lambda case: f"{case.operator} {case.terms}")
@pytest.mark.parametrize("train", [True, False])
def test_references_compute_the_same(case: Case, train: bool):
    x = torch.randn(4, 16, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def results(module: nn.Module) -> list[torch.Tensor]:
        inputs = x.clone().requires_grad_()
        output = module.double().train(train)(inputs)
        output.square().mean().backward()
        return [output.detach(), inputs.grad, *(p.grad for p in module.parameters() if p.grad is not None)]

    expected = results(case.build())
    for reference in case.references:
        others = results(case.build(reference))
        for ours, theirs in zip(expected, others, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


def test_rows_have_the_promised_keys_and_ratios(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(operators, "case_peak_bytes", lambda case, reference, device, dtype: 8 if reference else 2)
    threads = torch.get_num_threads()
    calls: list[tuple[int, int]] = []
    document = measure(
        Setting("cpu", threads=1, samples=3), lambda done, total, line: calls.append((done, total)), cases=TINY
    )
    assert calls == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert torch.get_num_threads() == threads
    assert document["environment"]["threads"] == 1
    rows = document["cases"]
    assert [row["reference"] for row in rows] == [
        "unfold",
        "shifts",
        "dense",
        "unfold",
        "shifts",
        "einsum",
        "tensors",
        "torch's modules",
    ]
    for row in rows:
        assert set(row) >= KEYS
        assert len(row["samples_ms"]) == 3
        assert row["forward_backward_ms"] == sorted(row["samples_ms"])[1]
        assert row["median_ms"] == row["forward_backward_ms"]
        assert row["ratio"] == pytest.approx(1 / row["ratio_to_reference"])
        assert 0 < row["error"] < 1e-4
        assert row["gmacs_per_second"] * row["median_ms"] == pytest.approx(row["macs"] / 1e6)
        assert row["ratio_to_reference"] == pytest.approx(row["reference_ms"] / row["forward_backward_ms"])
        assert (row["peak_memory_bytes"], row["reference_peak_memory_bytes"]) == (2, 8)
    axial = [target for target in document["targets"] if target["name"].startswith("axial")]
    assert [target["found"] for target in axial] == [pytest.approx(rows[-3]["ratio_to_reference"])]


def test_error_sees_a_wrong_gradient(monkeypatch: pytest.MonkeyPatch):
    right = error_of(TINY[0], torch.device("cpu"), torch.float32)
    forward = LocalAttention.retrieve
    half_the_gradient = lambda self, qkv: forward(self, 0.5 * qkv + 0.5 * qkv.detach())  # noqa: E731
    monkeypatch.setattr(LocalAttention, "retrieve", half_the_gradient)
    wrong = error_of(TINY[0], torch.device("cpu"), torch.float32)
    assert right < 1e-4
    assert wrong > 0.1


def test_targets_take_the_worst_row():
    row = {"operator": "local", "size": 56, "channels": 128, "window": 7, "terms": "plain", "reference": "unfold"}
    row |= {"ratio_to_conv3": 2.0, "peak_memory_bytes": 10, "reference_peak_memory_bytes": 100}
    row |= {"error": 1e-5, "dtype": "float32"}
    rows = [{**row, "ratio_to_reference": ratio} for ratio in (9.0, 7.0)]
    bounds = {target.name: (target.measured, target.met) for target in targets(rows)}
    assert bounds["local 7x7 at 56x56, plain: times as fast as unfold"] == (7.0, False)
    assert bounds["local 7x7 at 56x56, plain: time over conv 3x3"] == (2.0, True)
    assert bounds["local 7x7 at 56x56, plain: memory over unfold"] == (0.1, True)
    assert not any(name.startswith("axial") for name in bounds)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the system does not report the peak")
def test_peak_memory_sees_what_unfolding_costs():
    case = Case("local", 28, 64, 1, 4, 7, "plain", ("unfold",))
    device = torch.device("cpu")
    unfold = case_peak_bytes(case, "unfold", device, torch.float32)
    # keys and values, and their gradients in backward: at least two copies of 49 x 64 x 28 x 28 float32 at once
    assert unfold > 2 * 49 * 64 * 28 * 28 * 4
    assert 0 < case_peak_bytes(case, None, device, torch.float32) < unfold / 5


def test_shipped_cases_hold_the_targets_and_every_operator():
    assert set(TARGETED) <= set(CASES)
    assert {case.operator for case in CASES} == {"local", "axial", "crisscross", "conv"}
    assert {case.size for case in CASES} >= {56, 28, 14, 7, 16, 8, 4}
