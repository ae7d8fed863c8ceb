"""Studies that are looked at several times: their errors simulated, and that the reported verdicts are those."""

import json
from pathlib import Path

import numpy as np
import pytest
from fabricated import fabricate

from trionet_bench.analysis.comparisons import compare, decides_at
from trionet_bench.analysis.look_errors import claims, error_rates
from trionet_bench.analysis.results import load
from trionet_bench.suite.seeds import SeedPlan

PLAN = SeedPlan(start=3, most=12)
LEVELS = [PLAN.level(count) for count in PLAN.looks]


def test_studies_without_a_difference_claim_one_in_at_most_a_twentieth():
    differs, _, _ = error_rates(PLAN, LEVELS, shift=0.0, margin=2.0, studies=2000)
    assert differs < 0.05 - 2 * np.sqrt(0.05 * 0.95 / 2000)  # clearly, since the levels only add up to it
    _, within, _ = error_rates(PLAN, LEVELS, shift=-2.0, margin=2.0, studies=2000)
    assert within < 0.05 - 2 * np.sqrt(0.05 * 0.95 / 2000)


def test_a_study_ends_when_all_is_decided():
    values = np.random.default_rng(1).normal(size=(1, 3, 12))
    far = values + np.array([0.0, 40.0, -40.0])[:, None]
    differ, within, seeds = claims(far, PLAN.looks, LEVELS, margin=1.0)
    assert (differ.tolist(), within.tolist(), seeds.tolist()) == ([[True, True]], [[True, False]], [3])
    _, _, seeds = claims(values, PLAN.looks, LEVELS, margin=0.001)  # nothing of this size can be decided
    assert seeds.tolist() == [12]


def test_verdicts_are_those_of_the_look(tmp_path: Path):
    folder = fabricate(
        tmp_path, models=("conv", "local"), datasets=("digits",), budgets=(4_000_000,), seeds=tuple(range(8))
    )
    once = compare(load([folder]))
    declared = json.loads((folder / "suite.json").read_text())
    looks = {"planned": [3, 5, 8, 12], "seeds": 8, "taken": 3, "level": float(once.p_holm[0]) / 2}
    (folder / "suite.json").write_text(json.dumps(declared | {"looks": looks}))
    results = load([folder])
    assert decides_at(results) == looks["level"]
    assert (once.verdict[0], compare(results).verdict[0]) == ("worse", "undecided")


def test_of_several_studies_the_strictest_level_decides(tmp_path: Path):
    folders = [fabricate(tmp_path, name=name, datasets=(name,), models=("conv", "local")) for name in ("a", "b")]
    for folder, level in zip(folders, (0.02, 0.01), strict=True):
        declared = json.loads((folder / "suite.json").read_text())
        looks = {"planned": [3, 5], "seeds": 3, "taken": 1, "level": level}
        (folder / "suite.json").write_text(json.dumps(declared | {"looks": looks}))
    assert decides_at(load(folders)) == pytest.approx(0.01)
