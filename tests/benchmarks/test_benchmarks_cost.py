"""The rate is architectures over seconds, and both ways to count are compared."""

import pytest

from trionet_bench.benchmarks import cost
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.spaces.presets import RESNET_NANO


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cost, "SPACES", {"resnet-nano": RESNET_NANO})
    monkeypatch.setattr(cost, "DRAWN", 10)
    monkeypatch.setattr(cost, "COUNTED", 1)


def test_rate_by_hand():
    document = cost.measure(Setting("cpu", threads=1, samples=2), lambda *_: None)
    (row,) = document["cases"]
    assert row["per_second"] == pytest.approx(1000 / row["median_ms"])
    assert document["targets"][0]["found"] == row["per_second"]
    assert len(row["reference_samples_ms"]) == 1


def test_counts_that_differ_are_an_error(monkeypatch: pytest.MonkeyPatch):
    right = cost.by_counter
    monkeypatch.setattr(cost, "by_counter", lambda space, genes: right(space, genes) + 1)
    with pytest.raises(ArithmeticError, match="resnet-nano"):
        cost.measure(Setting("cpu", threads=1, samples=1), lambda *_: None)
