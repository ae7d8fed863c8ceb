"""A report of nothing but correlations: supernets that rank spread architectures."""

import json
from pathlib import Path

import numpy as np
import pytest
from fabricated import fabricate
from scipy import stats

from trionet_bench.analysis.ranking import supernet_correlations
from trionet_bench.analysis.results import Results, load
from trionet_bench.records.record import Record
from trionet_bench.reporting.answer import answer
from trionet_bench.reporting.page import write_report

COUNT = 30


def accuracies(model: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Alone, inherited and inherited without recalibration."""
    generator = np.random.default_rng(len(model))
    alone = generator.uniform(0.6, 0.95, COUNT)
    return alone, alone - generator.uniform(0, 0.3, COUNT), generator.uniform(0.1, 0.5, COUNT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two supernets, one seed; records of searched models turned into correlations."""
    folder = fabricate(
        tmp_path_factory.mktemp("results"), datasets=("digits",), models=("trionet", "uniform"), seeds=(0,),
        budgets=(4_000_000,), side_files=False,
    )  # fmt: skip
    for path in folder.rglob("record.json"):
        value = json.loads(path.read_text())
        for name in ("architecture", "macs", "params", "search"):
            value[name] = None
        value |= {"system": "correlation", "metrics": {}, "placement": [], "macs_by_operator": {}, "macs_by_stage": {}}
        value["ranked"] = [
            {
                "architecture": {"number": n}, "macs": 10**6 + n, "params": 1, "operators": "cla", "val_top1": a,
                "inherited_val_top1": b, "inherited_val_top1_not_recalibrated": c,
            }
            for n, (a, b, c) in enumerate(zip(*accuracies(value["model"]), strict=True))
        ]  # fmt: skip
        path.write_text(Record.model_validate(value).model_dump_json(by_alias=True))
    suite = json.loads((folder / "suite.json").read_text())
    (folder / "suite.json").write_text(json.dumps(suite | {"comparisons": []}))
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return load([folder])


@pytest.mark.parametrize("model", ["trionet", "uniform"])
def test_each_supernet_is_correlated_in_both_states(results: Results, model: str):
    table = supernet_correlations(results).set_index(["model", "metric"])
    alone, inherited, without = accuracies(model)
    for metric, values in (("", inherited), ("_not_recalibrated", without)):
        row = table.loc[(model, f"inherited_val_top1{metric}")]
        assert row.n == COUNT
        assert row.tau == pytest.approx(stats.kendalltau(values, alone).statistic)
        assert row.rho == pytest.approx(stats.spearmanr(values, alone).statistic)
        assert row.tau_low < row.tau < row.tau_high


def test_report_of_correlations_alone(folder: Path, results: Results, tmp_path: Path):
    (sentence,) = answer(results)
    assert sentence.startswith("Over 30 architectures, Kendall's tau-b")
    page = write_report([folder], tmp_path / "report")
    text = page.read_text()
    assert "Does the supernet rank architectures as training does?" in text
    assert "Spread architectures, inherited against alone" in text
    assert "Main results" not in text
    rows = (tmp_path / "report" / "tables" / "ranking.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 2
