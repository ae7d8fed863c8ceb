"""Feeding and the whole step are timed in one loop, on data of the user's too."""

from trionet_bench.benchmarks.data import measure
from trionet_bench.benchmarks.measure import Setting


def test_share_of_the_step():
    own = ("synthetic:texture?n=40&size=24", "resnet-nano", "quick")
    found = measure(Setting("cpu", threads=1, samples=2), lambda *_: None, own=own)
    (row,) = found["cases"]
    assert (row["source"], row["space"], row["recipe"]) == own
    assert len(row["samples_ms"]) == len(row["reference_samples_ms"]) == 2
    assert all(0 < fed < step for fed, step in zip(row["samples_ms"], row["reference_samples_ms"], strict=True))
    assert found["targets"][0]["found"] == row["ratio"] < 1
