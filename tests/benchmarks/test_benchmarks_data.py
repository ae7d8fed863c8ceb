"""Loading and the step are timed in one loop, on data of the user's too; identity beside plain reading."""

from pathlib import Path

import pytest

from trionet_bench.benchmarks.data import measure, targets
from trionet_bench.benchmarks.data_identity import LIMIT, FileSet, measure_identity
from trionet_bench.benchmarks.setting import Setting


def test_share_of_the_step():
    custom = ("synthetic:texture?n=40&size=24", "resnet-nano", "quick")
    document = measure(Setting("cpu", threads=1, samples=2), lambda *_: None, custom=custom)
    (row,) = document["cases"]
    assert (row["source"], row["space"], row["recipe"]) == custom
    assert len(row["samples_ms"]) == len(row["reference_samples_ms"]) == 2
    assert all(
        0 < loading <= both for loading, both in zip(row["samples_ms"], row["reference_samples_ms"], strict=True)
    )
    assert document["targets"][0]["found"] == row["ratio"]


def test_identity_beside_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRIONET_BENCH_CACHE", str(tmp_path))
    row = measure_identity(FileSet("files", 3000, 1000), samples=2)
    assert len(row["samples_ms"]) == len(row["reference_samples_ms"]) == 2
    assert row["files_per_s"] == pytest.approx(3000 / (row["median_ms"] / 1000))
    assert row["mb_per_s"] == pytest.approx(3 / (row["median_ms"] / 1000))
    assert row["second_look_ms"] > 0
    (target,) = targets([row])
    assert (target.limit, target.measured) == (LIMIT, row["ratio"])
    assert list(tmp_path.iterdir()) == []
