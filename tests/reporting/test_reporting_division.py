"""Networks that were pre-trained are never ranked with those that were trained from scratch."""

import json
from pathlib import Path

import pytest
from fabricated import fabricate

from trionet_bench.analysis.results import load, load_by_task
from trionet_bench.analysis.summary import summarise
from trionet_bench.errors import UsageError
from trionet_bench.reporting.page import write_report

STARTS = {
    "axial": {"network": "torchvision:resnet18", "weights": "a" * 64},
    "trionet": {"network": "clothes:fashion/conv", "weights": "b" * 64, "trained_on": "fashion", "fingerprint": "f"},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = fabricate(
        tmp_path_factory.mktemp("results"),
        datasets=("digits",),
        models=("conv", "local", *STARTS),
        budgets=(4_000_000,),
        epochs=1,
        side_files=False,
    )
    for path in folder.rglob("record.json"):
        record = json.loads(path.read_text())
        record["start"] = STARTS.get(record["model"])
        path.write_text(json.dumps(record))
    return folder


def test_each_division_has_its_own_results(study: Path):
    parts = {results.division: results for results in load_by_task([study])}
    models = {division: results.models for division, results in parts.items()}
    assert models == {
        "": ("conv", "local"), "pretrained elsewhere": ("axial",), "pretrained on fashion": ("trionet",)
    }  # fmt: skip
    assert set(summarise(parts[""]).model) == {"conv", "local"}
    (comparison,) = parts[""].declared.comparisons  # of local, axial and trionet with conv
    assert comparison.candidates == ("local",)
    assert parts["pretrained elsewhere"].declared.comparisons == ()
    with pytest.raises(UsageError, match=r"several tasks or divisions \(classification, classification pretrained"):
        load([study])


def test_the_page_has_them_in_sections_and_files_of_their_own(study: Path, tmp_path: Path):
    page = write_report([study], tmp_path, ("md", "csv"))
    text = page.read_text()
    for name in ("trained from scratch", "pretrained elsewhere", "pretrained on fashion"):
        assert f"## {name}: Results" in text
    main = (tmp_path / "tables" / "trained-from-scratch-main.csv").read_text()
    assert "axial" not in main and "trionet" not in main
    assert "axial" in (tmp_path / "tables" / "pretrained-elsewhere-main.csv").read_text()
