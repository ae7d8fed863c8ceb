"""Correlations of the fitness of FAB-NAS supernets: what is ranked, and how it is scored."""

import json
from pathlib import Path

import pytest
from support.carried import phase_folders, record
from support.system_cases import TINY_FAB, of_fab

from trionet_bench.errors import UsageError
from trionet_bench.search.calibration import recalibrate
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.cell import AnyCell
from trionet_bench.systems.fab.running import open_supernet, searching
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.systems.training_context import TrainingContext

COUNT = 3


def study(**options) -> AnyCell:
    return of_fab(system="fab-correlation", architectures=COUNT, near=0.6, **options)


def test_supernets_share_the_networks_trained_alone_and_are_those_of_fab():
    phases = {of: SYSTEMS.get("fab-correlation").phases(study(objective=of)) for of in ("context", "labels")}
    supernets = {of: phase[0].key for of, phase in phases.items()}
    assert phases["context"][1:] == phases["labels"][1:]
    for objective, key in supernets.items():
        assert SYSTEMS.get("fab").phases(of_fab(objective=objective))[0].key == key


@pytest.mark.parametrize("objective", ["context", "labels"])
def test_networks_near_the_budget_are_scored_by_the_fitness_of_a_search(objective: str, tmp_path: Path):
    of = study(objective=objective)
    folders = phase_folders(of, tmp_path / "phases")
    (tmp_path / "cell").mkdir()
    context = RunContext(tmp_path / "cell", folders)
    result = record(of, SYSTEMS.get("fab-correlation").runner.run_cell(of, context))
    assert len({json.dumps(entry.architecture) for entry in result.ranked}) == COUNT
    assert all(0.6 * of.budget <= entry.macs <= of.budget for entry in result.ranked)
    guided = searching(TrainingContext.open(of, context))
    scorer = open_supernet(guided)
    for entry in result.ranked:
        assert entry.scored_by == "fitness" and 0 <= entry.val <= 1
        network = recalibrate(scorer.supernet.extract(TINY_FAB.from_dict(entry.architecture)), scorer.calibration)
        loss = guided.task.evaluation_loss(network, guided.eval_batches("val"))
        assert entry.inherited_val == pytest.approx(-loss)


def test_too_few_networks_near_the_budget_are_refused():
    with pytest.raises(UsageError, match=r"does not show 30 different networks of 0.054M to 0.09M MACs, only 9;"):
        SYSTEMS.get("fab-correlation").check(of_fab(system="fab-correlation", near=0.6))
