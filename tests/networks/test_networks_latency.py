"""Latency: what is timed, and how its samples are summed up."""

import pytest
import torch
from torch import Tensor, nn

from trionet_bench.networks import latency
from trionet_bench.networks.latency import WARM_UP, measure_latency


class Watched(nn.Module):
    """Remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.seen: list[tuple[tuple[int, ...], torch.dtype, bool, int, bool]] = []

    def forward(self, images: Tensor) -> Tensor:
        threads, gradients = torch.get_num_threads(), torch.is_grad_enabled()
        self.seen.append((tuple(images.shape), images.dtype, self.training, threads, gradients))
        return images * self.scale


def test_batches_are_passed_in_turns_in_evaluation_mode():
    network = Watched().train()
    before = torch.get_num_threads()
    latencies = measure_latency(network, (3, 4, 5), (1, 2), "cpu", threads=1, dtype=torch.bfloat16, samples=4)
    assert torch.get_num_threads() == before
    turn = [((batch, 3, 4, 5), torch.bfloat16, False, 1, False) for batch in (1, 2)]
    assert network.seen == turn * (WARM_UP + 4)
    assert {key: latencies[key] for key in ("device", "threads", "dtype", "samples")} == {
        "device": "cpu", "threads": 1, "dtype": "bfloat16", "samples": 4,
    }  # fmt: skip
    assert [len(row["samples_ms"]) for row in latencies["batches"]] == [4, 4]


def test_median_and_quartiles(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        latency, "in_turns", lambda steps, samples, device: {key: [9.0, 9.0, 4.0, 1.0, 3.0, 2.0, 5.0] for key in steps}
    )
    row = measure_latency(Watched(), (1, 2, 2), (10,), "cpu", samples=5)["batches"][0]
    assert (row["quartiles_ms"], row["median_ms"]) == ([2.0, 4.0], 3.0)
    assert row["images_per_s"] == pytest.approx(10 / 0.003)
