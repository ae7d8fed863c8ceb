"""Cases and targets by hand; a benchmark that fails does not stop the others; the page says what was missed."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from trionet_bench.benchmarks import everything
from trionet_bench.benchmarks.everything import BENCHES, failed, measure_all
from trionet_bench.benchmarks.measure import OnCase, at_least, at_most, compared, line_of, target_line
from trionet_bench.benchmarks.page import shown, table
from trionet_bench.benchmarks.peak import rates
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.cli.actions import bench as actions
from trionet_bench.cli.main import main

ENVIRONMENT = {"device_name": "A CPU, 3.0 GHz", "cores": 2, "torch": "2"}


def test_ratio_is_of_the_medians_or_of_the_pairs():
    ours, theirs = [1.0, 2.0, 9.0], [2.0, 8.0, 9.0]
    assert compared({}, ours, "it", theirs)["ratio"] == 2 / 8
    assert compared({}, ours, "it", theirs, paired=True)["ratio"] == 0.5  # of 1/2, 2/8 and 9/9
    row = compared({"case": "one"}, ours, "it", theirs)
    assert (row["median_ms"], row["reference_ms"], row["samples_ms"]) == (2.0, 8.0, ours)
    assert line_of(row) == "one: 2 ms, 0.25 of it (8 ms)"


def test_rates_and_shares_of_the_peak_by_hand():
    # 6e9 MACs in 3 ms are 2000 GMAC/s; a product of matrices of side 1024 in 1 ms is 1024^3 / 1e6 GMAC/s.
    row = rates(6e9, 3.0, {"float32": [1.0, 0.5, 9.0], "bfloat16": [0.25]}, torch.device("cpu"))
    assert row["gmacs_per_second"] == pytest.approx(2000)
    assert row["float32_peak_gmacs_per_second"] == pytest.approx(1073.741824)
    assert row["share_of_bfloat16_peak"] == pytest.approx(2000 / 4294.967296)
    line = line_of({"case": "one", **compared({}, [3.0], "it", [3.0]), **row})
    assert line == "one: 3 ms, 1 of it (3 ms); 2e+03 GMAC/s, 186% of the peak in float32, 47% in bfloat16"


def test_targets_take_the_worst_value():
    (low,) = at_least("speed", 2, [3.0, 1.9])
    (high,) = at_most("time", 2, [1.0, 2.0])
    assert (low.measured, low.met, high.measured, high.met) == (1.9, False, 2.0, True)
    assert at_most("time", 2, []) == []
    assert target_line(low.to_dict()) == "speed: 1.9, at least 2 wanted: MISSED"


def test_quick_takes_fewer_samples_unless_told():
    assert [Setting(quick=quick).count(7) for quick in (False, True)] == [7, 3]
    assert Setting(samples=5, quick=True).count(7) == 5


def test_all_go_on_after_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def measure_one(bench: str, setting: Setting, on_case: OnCase) -> dict[str, Any]:
        if bench == "training":
            raise ArithmeticError("2 is <not> 3")
        row = compared({"case": f"{bench} & more"}, [1.0], "it", [2.0])
        targets = [target.to_dict() for target in at_most(f"{bench} time", 0.25, [row["ratio"]])]
        return {"bench": bench, "environment": ENVIRONMENT, "cases": [row], "targets": targets}

    monkeypatch.setattr(everything, "measure_one", measure_one)
    everything_measured, file, page = measure_all(
        Setting(), lambda bench: lambda *_: None, tmp_path / "results", tmp_path / "reports", "bench <all>"
    )
    assert failed(everything_measured) == {"training": "ArithmeticError: 2 is <not> 3"}
    assert file == tmp_path / "results" / "benchmarks" / "a-cpu-3-0-ghz-2-cores.json"
    stored = json.loads(file.read_text())
    assert list(stored["benches"]) == list(BENCHES)
    assert stored["benches"]["cost"]["cases"][0]["ratio"] == 0.5
    text = page.read_text()
    assert stored["command"] in text.replace("&lt;", "<").replace("&gt;", ">") and stored["code"]["version"]
    assert "cost &amp; more" in text and "2 is &lt;not&gt; 3" in text
    assert text.count("<strong>missed</strong>") == len(BENCHES) - 1
    assert "<svg" in text and "src=" not in text and "http:" not in text.replace("http://www.w3.org", "")


def test_the_document_of_one_benchmark_names_command_and_code(monkeypatch: pytest.MonkeyPatch):
    def measure_one(bench: str, setting: Setting, on_case: OnCase, **options: object) -> dict[str, Any]:
        return {"bench": bench, "environment": ENVIRONMENT, "cases": [], "targets": []}

    monkeypatch.setattr(actions, "measure_one", measure_one)
    monkeypatch.setattr(sys, "argv", ["trionet-bench", "bench", "cost", "--json"])
    document = json.loads(CliRunner().invoke(main, ["bench", "cost", "--json"]).stdout)
    assert (document["bench"], document["command"]) == ("cost", "trionet-bench bench cost --json")
    assert document["code"].keys() == {"version", "commit", "dirty"}


def test_a_table_says_once_what_all_cases_have_in_common():
    row = {"dtype": "float32", "device": "cpu", "peak_memory_bytes": 2_500_000, "heads": 8}
    times = [compared({"case": case, **row}, [1.0], "it", [2.0]) for case in "ab"]
    note, headings, rows = table({"cases": times, "environment": {"threads": 2}})
    assert note == "cpu, float32, 2 threads"
    assert headings == ["Case", "Ours (ms)", "Reference", "Reference (ms)", "Ours over reference", "Peak memory (MB)"]
    assert rows == [[case, 1.0, "it", 2.0, 0.5, 2.5] for case in "ab"]
    assert [shown(value) for value in (1234.5, 0.012345, 1234, "it")] == ["1,234", "0.0123", "1,234", "it"]
