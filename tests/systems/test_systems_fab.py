"""FAB-NAS (reconstruction): what is searched by what, and what a cell leaves."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.carried import phase_folders, record
from support.system_cases import TINY_FAB, of_fab

from trionet_bench.errors import UsageError
from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.resnet import names_by_window
from trionet_bench.networks.sharing import MultiHeadSharing
from trionet_bench.networks.skeletons import architecture_macs, build_network
from trionet_bench.records.record import CellResult
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.cell import AnyCell
from trionet_bench.systems.fab.running import at_scale
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.training.history import read_history
from trionet_bench.training.recipe import Optimizer


def carry_out(of: AnyCell, folder: Path) -> CellResult:
    """All phases of a cell, then the cell."""
    folders = phase_folders(of, folder / "phases")
    (folder / of.model).mkdir(parents=True)
    return SYSTEMS.get("fab").runner.run_cell(of, RunContext(folder / of.model, folders))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[CellResult, Path]:
    """The result of a cell that was searched without labels, and its folder."""
    folder = tmp_path_factory.mktemp("fab")
    return carry_out(of_fab(), folder), folder


def test_supernets_depend_on_what_they_are_trained_for_alone():
    system = SYSTEMS.get("fab")

    def phase(**options) -> tuple[str, str]:
        (only,) = system.phases(of_fab(**options))
        return only.name, only.key

    assert phase() == phase(search="random")
    assert phase(objective="labels")[0] == "labelled-supernet"
    assert phase(objective="labels") == phase(objective="labels", pretext={"grid": 2})
    assert len({phase(), phase(pretext={"grid": 2}), phase(objective="labels")}) == 3
    for search in ("macs", "none"):
        assert system.phases(of_fab(search=search)) == ()
    one_scale = [replace(of_fab(budget), space=TINY_FAB.at_scale(1.0)) for budget in (60_000, 70_000)]
    assert len({system.phases(of)[0].key for of in one_scale}) == 1
    assert len({system.phases(of_fab(budget))[0].key for budget in (60_000, 70_000)}) == 2


def test_a_search_without_labels_is_scored_by_the_loss_on_images(finished: tuple[CellResult, Path]):
    done, folder = finished
    search = record(of_fab(), done).search
    assert search is not None
    assert (search.algorithm, search.pretext, search.fitness) == ("evolution", "context-autoregression", "loss")
    assert (search.sampler, search.sharing) == ("single-path", "independent")
    assert search.evaluations == len(search.evaluated) == 8  # 2 generations of 4 children
    assert all(-2 < child.fitness < 0 for child in search.evaluated)  # minus the error of normalised patches
    assert {probe.probe for probe in search.probes} >= {"all-local3"}
    best = max(search.evaluated, key=lambda child: (child.fitness, child.macs))
    assert done.architecture is not None
    found = TINY_FAB.from_dict(done.architecture)
    assert TINY_FAB.codes(TINY_FAB.encode(found)) == best.operators
    assert architecture_macs(found, 3, 1, 8) == done.macs == best.macs
    # what was found is measured as any other network, and its pretext loss is that which was maximised
    assert set(done.metrics) == {
        "test_top1", "test_top5", "val_top1", "pretext_search_val_mse", "pretext_val_mse", "pretext_test_mse",
    }  # fmt: skip
    assert done.metrics["pretext_search_val_mse"] == pytest.approx(-best.fitness, rel=1e-5)
    rows = read_history(folder / "fab" / "history.jsonl")
    assert [row["phase"] for row in rows] == ["retrain"] * 3 + ["pretext"] * 2


def test_labels_are_not_looked_at(finished: tuple[CellResult, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    # Nothing but the split, which keeps the shares of the classes, may know them.
    opened = TrainingContext.open

    def without_labels(*arguments) -> TrainingContext:
        context = opened(*arguments)
        context.images.labels.zero_()
        return context

    monkeypatch.setattr(TrainingContext, "open", without_labels)
    folders = phase_folders(of_fab(), tmp_path / "phases")
    (tmp_path / "cell").mkdir()
    result = SYSTEMS.get("fab").runner.run_search(of_fab(), RunContext(tmp_path / "cell", folders))
    assert result.search == finished[0].search


@pytest.mark.parametrize("objective", ["context", "labels"])
def test_a_search_by_gradients_keeps_one_operator_for_each_block(objective: str, tmp_path: Path):
    of = of_fab(search="gradient", objective=objective)
    with pytest.raises(UsageError, match="give it a recipe whose optimizer is adamw"):
        SYSTEMS.get("fab").check(of)
    optimizer = Optimizer(name="adamw", lr=0.01)
    of = replace(of, recipe=of.recipe.model_copy(update={"optimizer": optimizer}))
    SYSTEMS.get("fab").check(of)
    (phase,) = SYSTEMS.get("fab").phases(of)
    assert phase.name == {"context": "pretext-relaxation", "labels": "labelled-relaxation"}[objective]
    result = carry_out(of, tmp_path)
    assert result.macs is not None and result.macs <= of.budget
    search = record(of, result).search
    assert search is not None
    assert (search.algorithm, search.evaluations) == ("gradient", 0)
    assert search.pretext == (None if objective == "labels" else "context-autoregression")
    facts = RunContext(tmp_path, {phase.name: next((tmp_path / "phases").iterdir())}).finished(phase.name).facts
    assert [sum(of_block) for of_block in facts["probabilities"]] == pytest.approx([1, 1])
    assert len({round(p, 9) for of_block in facts["probabilities"] for p in of_block}) > 2  # they were trained
    with pytest.raises(UsageError, match="scores no networks, since its search is gradient"):
        SYSTEMS.get("fab").runner.run_search(of, RunContext(tmp_path))


def test_searched_by_labels_it_is_as_other_supernets(tmp_path: Path):
    result = carry_out(of_fab(objective="labels"), tmp_path)
    assert result.search is not None and result.search.pretext is None
    assert {"inherited_test_top1", "finetuned_test_top1"} <= result.metrics.keys()


def test_without_a_search_most_macs_or_local_attention_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    trained = []

    def only_described(context: TrainingContext, architecture):
        trained.append(architecture)
        return CellResult()

    monkeypatch.setattr("trionet_bench.systems.fab.running.retrain_and_describe", only_described)
    for number, search in enumerate(("macs", "none")):
        result = carry_out(of_fab(search=search), tmp_path / str(number))
        assert result.search is None
    most, local = trained
    space = TINY_FAB.at_scale(1.0)  # 9 networks, of which 8 draws miss few
    costs = sorted(
        architecture_macs(space.decode((0, first, second)), 3, 1, 8) for first in range(3) for second in range(3)
    )
    assert architecture_macs(most, 3, 1, 8) in costs[-2:]
    assert local == TINY_FAB.all_local(1.0)


@pytest.mark.parametrize(("budget", "scale"), [(1_000_000, 1.5), (120_000, 1.5), (108_000, 1.0)])
def test_the_scale_is_the_largest_at_which_half_of_the_networks_fit(budget: int, scale: float):
    costs = {
        of: sorted(
            architecture_macs(TINY_FAB.decode((number, first, second)), 3, 1, 8)
            for first in range(3)
            for second in range(3)
        )
        for number, of in enumerate(TINY_FAB.scales)
    }
    assert costs[scale][4] <= budget and (scale == 1.5 or costs[1.5][4] > budget)
    assert at_scale(of_fab(budget)).scales == (scale,)


def test_windows_and_operators_have_weights_of_their_own_and_share_the_pointwise_convolutions():
    net = Supernet(TINY_FAB.at_scale(1.0), lambda a: build_network(a, 3, 1, 8), MultiHeadSharing(), 0, names_by_window)
    stored = {name.replace("/", ".") for name in net.weights}
    first = {name.removeprefix("stages.0.0.").split(".")[0] for name in stored if name.startswith("stages.0.0.")}
    assert first >= {"reduce", "expand", "local@3", "local@5", "axial"}
    weights = {}
    for option in range(3):
        network = net.extract(net.space.decode((0, option, 0)))
        weights[option] = dict(network.named_parameters())
    assert (weights[0]["stages.0.0.reduce.weight"] == weights[2]["stages.0.0.reduce.weight"]).all()
    name = "stages.0.0.local.project.qkv.weight"
    assert not (weights[0][name] == weights[1][name]).all()
