"""The suite ``controls`` in small: the search finds the placement that its first set is known to need."""

import os
import subprocess
import sys
from pathlib import Path

from trionet_bench.records.store import iter_records

ROOT = Path(__file__).parents[2]
SMALL = """
extends: controls
name: controls-small
datasets: {gratings: null, noise: null}
recipe:
  base: quick
  finetune_epochs: 0
  epochs: 8
  supernet: {epochs: 8}
  search: {population: 8, parents: 4, crossover: 3, mutation: 3, generations: 2}
models: {conv: null, by-hand: null}
seeds: [0]
comparisons: []
"""


def test_search_puts_axial_attention_where_it_is_needed(tmp_path: Path):
    (tmp_path / "small.yaml").write_text(SMALL)
    command = [
        sys.executable,
        "-m",
        "trionet_bench",
        "run",
        "small.yaml",
        "--jobs",
        "1",
        "--device",
        "cpu",
        "--no-report",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (record,) = iter_records(tmp_path / "results")
    assert record.search is not None
    assert record.search.at_chance is None
    last = max(block.stage for block in record.placement)
    assert [block.operator for block in record.placement if block.stage == last] == ["axial"]
    # what was scored has other operators there too: the choice is the search's
    assert {child.operators[-1] for child in record.search.evaluated} > {"a"}
    assert record.metrics["test_top1"] > 0.9
