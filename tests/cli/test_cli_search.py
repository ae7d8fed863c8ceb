"""The pipeline driven by hand: one phase at a time, alone and as two processes, into the store that ``run`` reads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trionet_bench.records.store import iter_records

ROOT = Path(__file__).parents[2]
SUITE = """\
schema: 1
name: steps
fidelity: smoke
datasets:
  digits: {source: "sklearn:digits", resolution: 8}
space:
  base: resnet-nano
  stages:
    - {depths: [1], widths: [16, 32], stride: 2}
recipe:
  base: quick
  epochs: 1
  finetune_epochs: 1
  warmup_epochs: 0
  supernet: {epochs: 1, warmup_epochs: 0}
  search:
    {population: 4, parents: 2, generations: 2, crossover: 1, mutation: 1, calibration_images: 128, least_share: 0.0,
     at_chance: search}
budgets: [400K]
models:
  trionet: {system: trionet}
seeds: [0]
"""


def step(folder: Path, name: str, *launcher: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *launcher, "-m", "trionet_bench", "search", name, "steps.yaml", "--device", "cpu"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "steps.yaml").write_text(SUITE)
    return tmp_path


def test_steps_in_order(folder: Path):
    early = step(folder, "evolve")
    assert early.returncode == 2
    assert "search supernet" in early.stderr
    assert step(folder, "supernet").stdout == "supernet: digits trionet supernet s0\n"
    assert step(folder, "supernet").stdout == "supernet: nothing to do\n"
    assert step(folder, "evolve").stdout == "evolve: digits trionet 400K s0\n"
    ledger = next((folder / "results").rglob("evaluations.jsonl"))
    scored = ledger.read_text()
    assert len(scored.splitlines()) == 2 * 4  # generations of new children each
    done = step(folder, "retrain")
    assert done.stdout == "retrain: digits trionet 400K s0\n", done.stderr
    assert ledger.read_text() == scored  # what evolve scored was not scored again
    (record,) = iter_records(folder / "results")
    assert record.status == "complete"
    assert record.search is not None
    assert record.search.evaluations == 8


def test_two_processes_make_one_result(folder: Path):
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0", "--standalone")
    for name in ("supernet", "retrain"):
        done = step(folder, name, *launcher)
        assert done.returncode == 0, done.stderr
    (record,) = iter_records(folder / "results")
    assert record.status == "complete"
    assert record.determinism["world"] == 2
    assert record.counts is not None
    assert record.counts.evaluated == record.counts.test == 360  # every test image once, by one of the two
