"""Records of schema 1 are read as what they mean in schema 2."""

from pathlib import Path

import pytest
from support.tasks import CLASSIFICATION

from trionet_bench.errors import StoreError
from trionet_bench.records.record import SCHEMA, Probe, Ranked, Retrained
from trionet_bench.records.store import read_record, write_json

EARLIER = {
    "schema": 1,
    "key": "k",
    "suite": "s",
    "dataset": "d",
    "model": "m",
    "system": "glit",
    "budget": 4_000_000,
    "seed": 0,
    "status": "complete",
    "metrics": {"test_top1": 0.5},
    "search": {
        "algorithm": "evolution",
        "sampler": "single-path",
        "sharing": "slices",
        "evaluations": 1,
        "acceptance_rate": 1.0,
        "calibration_images": 8,
        "best_by_generation": [],
        "evaluated": [],
        "operator_prior": [],
        "operator_draws": {},
        "probes": [{"epoch": 1, "probe": "largest", "top1": 0.25}],
        "retrained": [{"macs": 1, "fitness": 0.5, "operators": "g", "search_val_top1": 0.75}],
    },
    "ranked": [
        {
            "architecture": {},
            "macs": 1,
            "params": 1,
            "operators": "c",
            "val_top1": 0.1,
            "inherited_val_top1": 0.2,
            "inherited_val_top1_not_recalibrated": 0.3,
        }
    ],
    "environment": dict.fromkeys(
        ["python", "torch", "torchvision", "numpy", "platform", "cpu", "device", "device_name"], "x"
    )
    | {"cores": 2},
    "code": {"version": "0", "commit": None, "dirty": None},
    "command": "run",
    "started": "2026-01-01T00:00:00+00:00",
    "finished": "2026-01-01T00:00:01+00:00",
}


def test_a_record_of_schema_1_says_its_task_and_names_quantities_by_what_they_are(tmp_path: Path):
    write_json(tmp_path / "record.json", EARLIER)
    record = read_record(tmp_path)
    assert record is not None and record.search is not None
    assert (record.schema_, record.task) == (SCHEMA, CLASSIFICATION)
    assert record.metrics == {"test_top1": 0.5}
    assert record.search.probes == [Probe(epoch=1, probe="largest", fitness=0.25)]
    assert record.search.retrained == [Retrained(macs=1, fitness=0.5, operators="g", fitness_alone=0.75)]
    assert record.ranked == [
        Ranked(
            architecture={},
            macs=1,
            params=1,
            operators="c",
            val=0.1,
            inherited_val=0.2,
            inherited_val_not_recalibrated=0.3,
        )
    ]


def test_a_name_of_schema_1_is_refused_in_schema_2(tmp_path: Path):
    write_json(tmp_path / "record.json", {**EARLIER, "schema": 2, "task": CLASSIFICATION.model_dump()})
    with pytest.raises(StoreError, match=r"search\.probes\.0"):
        read_record(tmp_path)


def test_a_later_schema_is_refused_in_one_sentence(tmp_path: Path):
    write_json(tmp_path / "record.json", {**EARLIER, "schema": SCHEMA + 1})
    with pytest.raises(StoreError, match=f"has record schema {SCHEMA + 1}, this program reads up to {SCHEMA}"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    ("measured", "metric"),
    [("test_top1", "top1"), ("inherited_test_top5", "top5"), ("search_val_top1", "top1"), ("latency", None)],
)
def test_the_metric_behind_a_measured_quantity(measured: str, metric: str | None):
    expected = next((m for m in CLASSIFICATION.metrics if m.name == metric), None)
    assert CLASSIFICATION.metric_of(measured) == expected
