"""``precision: auto`` in a suite: decided and said when it is planned, stored in the records, under the same key."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from trionet_bench.cli.main import main
from trionet_bench.integrity.verify import verify

Write = Callable[..., Path]


def test_auto_is_said_and_stored_and_is_no_other_cell(
    suite_file: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    command = ["run", str(suite_file({"a": {}}, recipe={"base": "quick", "precision": "auto"})), "--device", "cpu"]
    ran = CliRunner().invoke(main, [*command, "--no-report"])
    assert ran.exit_code == 0
    assert ran.stderr.count("precision: auto is float32, since ") == 1
    records = [json.loads(path.read_text()) for path in tmp_path.glob("results/fakes/*/*/*/record.json")]
    assert {record["recipe"]["precision"] for record in records} == {"float32"}
    assert all("five seeds" in record["recipe"]["precision_reason"] for record in records)
    assert verify(tmp_path / "results").faults == ()
    suite_file({"a": {}})  # recipe quick, which is float32
    again = CliRunner().invoke(main, [*command, "--no-report", "--json"])
    assert json.loads(again.stdout)["ran"] == 0
    assert "precision" not in again.stderr


def test_a_precision_on_the_command_line_is_another_study(
    suite_file: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    command = ["run", str(suite_file({"a": {}})), "--device", "cpu", "--no-report", "--precision"]
    assert CliRunner().invoke(main, [*command, "bf16"]).exit_code == 0
    records = [json.loads(path.read_text()) for path in tmp_path.glob("results/*/*/*/*/record.json")]
    assert {(record["suite"], record["recipe"]["precision"]) for record in records} == {
        ("fakes-recipe.precision-bf16", "bf16")
    }
    assert CliRunner().invoke(main, [*command, "fp16"]).exit_code == 2
