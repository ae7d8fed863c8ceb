"""Records of schema 1 give the report that the same records give in schema 2."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fabricated import fabricate, fabricate_ranked

from trionet_bench.reporting.page import write_report

FORMATS = ("html", "md", "csv")


def in_schema_1(record: dict) -> dict:
    """The same record as it was written then: no task, and quantities named by top-1."""
    older = {name: value for name, value in record.items() if name != "task"} | {"schema": 1}
    if older["search"]:
        probes = [{**probe, "top1": probe["fitness"]} for probe in older["search"]["probes"]]
        for probe in probes:
            del probe["fitness"]
        older["search"] = {**older["search"], "probes": probes}
    older["ranked"] = [
        {
            "architecture": row["architecture"], "macs": row["macs"], "params": row["params"],
            "operators": row["operators"], "val_top1": row["val"], "inherited_val_top1": row["inherited_val"],
            "inherited_val_top1_not_recalibrated": row["inherited_val_not_recalibrated"],
            "val_sd": row["val_sd"], "runs": row["runs"],
        }
        for row in older["ranked"]
    ]  # fmt: skip
    return older


def searched(results: Path) -> Path:
    return fabricate(results, "twin", ("digits",), ("conv", "trionet"), budgets=(4_000_000,), epochs=2, images=60)


@pytest.mark.parametrize("made", [searched, fabricate_ranked])
def test_twins_give_one_report(made: Callable[[Path], Path], tmp_path: Path):
    folder = made(tmp_path)
    write_report([folder], tmp_path / "second", FORMATS)
    for path in folder.rglob("record.json"):
        record = json.loads(path.read_text())
        assert record["schema"] == 2
        path.write_text(json.dumps(in_schema_1(record)))
    write_report([folder], tmp_path / "first", FORMATS)
    second = {path.relative_to(tmp_path / "second"): path.read_bytes() for path in files(tmp_path / "second")}
    first = {path.relative_to(tmp_path / "first"): path.read_bytes() for path in files(tmp_path / "first")}
    assert first == second
    assert len(first) > 3


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
