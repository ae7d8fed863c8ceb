"""What ``verify`` finds in a cell, reports mark and name: by the same functions, and of all but the weights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.fake_runs import run

import trionet_bench
from trionet_bench.analysis.results import load
from trionet_bench.api.results import report_of
from trionet_bench.integrity.cells import is_doubtful
from trionet_bench.integrity.verify import verify
from trionet_bench.networks.mac_totals import profile
from trionet_bench.networks.named import subject
from trionet_bench.records.record import Placement, Record
from trionet_bench.records.store import file_digest, write_json, write_record
from trionet_bench.reporting import page
from trionet_bench.reporting.answer import coverage_line
from trionet_bench.reporting.refresh import refresh_report
from trionet_bench.reporting.tables.results import seed_results
from trionet_bench.spaces.presets import RESNET_NANO

Write = Callable[..., Path]
CELL = "digits/a/90M-s0"
MARK = "\N{DOUBLE DAGGER}"


@pytest.fixture
def suite(suite_file: Write, tmp_path: Path) -> Path:
    """Results of two fake cells, of which one is given a network and its weights."""
    run(suite_file({"a": {}, "b": {}}, seeds=[0], budgets=["90M"]), tmp_path / "results")
    folder = tmp_path / "results/fakes" / CELL
    genes = RESNET_NANO.middle({})
    card = {
        "space": RESNET_NANO.to_dict(),
        "architecture": RESNET_NANO.decode(genes).to_dict(),
        "resolution": 32,
        "classes": [str(digit) for digit in range(10)],
        "channels": 3,
    }
    write_json(folder / "architecture.json", card)
    (folder / "model.safetensors").write_bytes(b"weights")
    of = subject(str(folder / "architecture.json"))
    with torch.device("meta"):
        network = of.build()
    cost, placed = profile(network, 32), network.placement(32)
    placement = [Placement(**p, macs=macs) for p, macs in zip(placed, cost.of_placement(placed), strict=True)]

    def give(record: dict[str, Any]) -> None:
        record |= cost.to_dict() | {"architecture": card["architecture"]}
        record["placement"] = [entry.model_dump() for entry in placement]
        for name in ("architecture.json", "model.safetensors"):
            record["artifacts"][name] = file_digest(folder / name)

    rewrite(folder, give)
    return folder.parents[2]


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a record and seal it anew, as one who knows how records are written can."""
    value = json.loads((folder / "record.json").read_text())
    change(value)
    (folder / "record.json").unlink()
    write_record(folder, Record.model_validate(value))


def fewer_macs(record: dict[str, Any]) -> None:
    for parts in (record["macs_by_stage"], record["macs_by_operator"]):
        parts[next(iter(parts))] -= 1000
    record["macs"] -= 1000


def other_network(record: dict[str, Any]) -> None:
    record["architecture"] = RESNET_NANO.decode(tuple(0 for _ in RESNET_NANO.middle({}))).to_dict()


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "MACs": (fewer_macs, "its macs is not what its architecture has"),
    "parameters": (lambda r: r.update(params=r["params"] - 1), "its params is not what its architecture has"),
    "placement": (
        lambda r: r["placement"][0].update(operator="axial"),
        "its placement is not what its architecture has",
    ),
    "architecture": (other_network, "its architecture is not the one in architecture.json"),
    "metric": (lambda r: r["metrics"].update(test_top1=1.0), "test_top1 is 1.0, but by predictions.npz"),
    "recipe": (lambda r: r["recipe"].update(epochs=99), "its key does not follow from its contents"),
    "file": (
        lambda r: r["artifacts"].update({"architecture.json": "0" * 64}),
        "architecture.json is not the file that was written",
    ),
}


def state(suite: Path) -> tuple[list[str], str, list[str]]:
    """What verify finds; what a report says of coverage; the models with a mark in a table."""
    results = load([suite], doubt=is_doubtful)
    table = seed_results(results)
    assert table is not None
    marked = [row["Model"] for _, row in table.text.iterrows() if MARK in str(row["seed 0"])]
    return [fault.message for fault in verify(suite).faults], coverage_line(results), marked


SOUND = "2 of 2 cells, 0 failed"
NAMED = f"{SOUND}, 1 record does not verify ({MARK}): {CELL}"


def test_a_sound_cell_has_no_mark(suite: Path):
    assert state(suite) == ([], SOUND, [])


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_gets_the_mark_and_is_named_though_the_record_was_sealed_anew(suite: Path, name: str):
    edit, message = EDITS[name]
    rewrite(suite / CELL, edit)
    found, coverage, marked = state(suite)
    assert any(message in text for text in found)
    assert (coverage, marked) == (NAMED, ["a"])


def test_an_architecture_outside_its_space_gets_the_mark(suite: Path):
    path = suite / CELL / "architecture.json"
    card = json.loads(path.read_text())
    card["space"]["stages"][0]["widths"] = [8]
    write_json(path, card)
    rewrite(suite / CELL, lambda record: record["artifacts"].update({path.name: file_digest(path)}))
    found, coverage, marked = state(suite)
    assert any("architecture.json: " in text for text in found)
    assert (coverage, marked) == (NAMED, ["a"])


def test_other_predictions_and_a_byte_of_the_record_get_the_mark(suite: Path):
    path = suite / CELL / "predictions.npz"
    with np.load(path) as stored:
        columns = dict(stored)
    np.savez(path, **{**columns, "predictions": columns["labels"]})
    assert state(suite)[1:] == (NAMED, ["a"])
    other = suite / "digits/b/90M-s0/record.json"
    other.write_bytes(other.read_bytes().replace(b'"cpu": "none"', b'"cpu": "nine"'))
    assert state(suite)[1:] == (f"{SOUND}, 2 records do not verify ({MARK}): {CELL}, digits/b/90M-s0", ["a", "b"])


def test_weights_are_left_to_verify(suite: Path):
    (suite / CELL / "model.safetensors").write_bytes(b"other weights")
    assert state(suite) == (["model.safetensors is not the file that was written"], SOUND, [])


def test_a_cell_is_sound_from_whatever_folder_it_is_looked_at(suite: Path, monkeypatch: pytest.MonkeyPatch):
    for place, name in ((suite, "."), (suite / "digits", "."), (suite / CELL, "."), (suite / CELL, "..")):
        monkeypatch.chdir(place)
        assert load([Path(name)], doubt=is_doubtful).doubtful.empty


def test_every_report_asks(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rewrite(suite / CELL, fewer_macs)
    assert str(trionet_bench.results(suite)) == f"Results of fakes: {NAMED}"
    monkeypatch.setattr(page, "FIGURES", ())
    assert NAMED in report_of([suite], tmp_path / "asked", ["md"]).read_text()
    written = refresh_report(suite, tmp_path / "after a run")
    assert written is not None
    assert NAMED in written.read_text()
    assert NAMED in written.with_name("report.md").read_text()
