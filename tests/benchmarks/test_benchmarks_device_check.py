"""The check of a device runs on a CPU, in small; what fails or finds no time is named; targets by hand."""

import json
from pathlib import Path

import pytest
import torch

from trionet_bench.benchmarks import device_check, peak
from trionet_bench.benchmarks.device_check import SMALL, check, line_of, main, targets
from trionet_bench.benchmarks.external import Projected

CPU = torch.device("cpu")


def test_it_runs_on_a_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device_check, "case_peak_bytes", lambda *_: 1)
    monkeypatch.setattr(peak, "SIDE", 64)
    main(["--device", "cpu", "--results", str(tmp_path)])
    (file,) = (tmp_path / "benchmarks").glob("device-*.json")
    found = json.loads(file.read_text())
    assert found["left_out"] == []
    assert [row["case"] for row in found["cases"] if "error_message" in row] == []
    kinds = [row["kind"] for row in found["cases"]]
    assert {kind: kinds.count(kind) for kind in ("operator", "resnet50", "network", "supernet", "error")} == {
        **{"operator": 4, "resnet50": 1, "network": 2},
        **{"supernet": 4, "error": 8},
    }
    for row in found["cases"]:
        if row["kind"] == "error":
            assert 0 < row["error"] < (0.1 if row["dtype"] == "bfloat16" else 1e-3), row["case"]
        elif row["kind"] != "external":
            assert row["gmacs_per_second"] * row["median_ms"] == pytest.approx(row["macs"] / 1e6)
    assert str(file) in capsys.readouterr().out


def test_without_time_everything_is_left_out_by_name():
    found = check(CPU, SMALL, -1, pytest.fail)
    assert found["cases"] == []
    assert "resnet50" in found["left_out"] and "supernet step, axial" in found["left_out"]


def test_a_case_that_fails_says_why(monkeypatch: pytest.MonkeyPatch):
    def fails() -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(device_check, "_parts", lambda device, scale: [("one", fails), ("two", lambda: {"error": 0.5})])
    lines: list[str] = []
    check(CPU, SMALL, 60, lines.append)
    assert lines == ["one: RuntimeError: no memory", "two: 0.5 from float64"]


def test_targets_by_hand():
    local = {"kind": "operator", "operator": "local", "size": 56, "median_ms": 1.0}
    rows = [{**local, "ratio": 0.9}, {**local, "ratio": 1.3}, {**local, "size": 28, "ratio": 9.0}]
    rows += [{"kind": "supernet", "operators": "conv", "share_of_bfloat16_peak": 0.41, "median_ms": 1.0}]
    rows += [{"kind": "supernet", "operators": "axial", "error_message": "no memory"}]
    found = {target.name: (target.measured, target.met) for target in targets(rows)}
    assert found == {
        "local 7x7 at 56x56: time over conv 3x3": (1.3, False),
        "supernet step, conv: share of the bfloat16 peak": (0.41, True),
    }


def test_attention_of_other_libraries_gets_heads_and_gives_maps():
    module = Projected(8, 2, lambda q, k, v: q + k + v)
    x = torch.randn(3, 8, 4, 5, generator=torch.Generator().manual_seed(0))
    q, k, v = module.qkv(x).chunk(3, dim=1)
    torch.testing.assert_close(module(x), q + k + v)


def test_a_line_has_images_a_second():
    assert line_of({"case": "one", "median_ms": 2.0, "images_per_second": 1234.0}) == "one: 2 ms, 1,234 images/s"
