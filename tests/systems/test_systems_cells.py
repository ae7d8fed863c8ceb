"""Whole cells on sixty tiny images: what they leave, that they are repeatable, and that they survive interruptions."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.carried import finish, record, result_names
from support.tiny import RECIPE, TINY, cell, index

from trionet_bench.data.pipeline.image_set import ImageData
from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.sharing import MultiHeadSharing
from trionet_bench.networks.skeletons import architecture_macs, build_network
from trionet_bench.records.record import CellResult
from trionet_bench.spaces.card import read_card
from trionet_bench.systems.base import PhaseResult, RunContext
from trionet_bench.systems.cell import AnyCell
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.systems.search_phase import child_scorer
from trionet_bench.systems.training_context import CalibrationBatches, TrainingContext
from trionet_bench.training.checkpoint import load_weights
from trionet_bench.training.history import read_history


class Interrupted(Exception):
    pass


class Progress:
    """Remembers what it was told; breaks off at the first report that ``stop`` wants."""

    def __init__(self, stop: Callable[[int, str], bool] = lambda done, text: False) -> None:
        self.stop = stop
        self.told: list[tuple[int, int, str]] = []

    def __call__(self, done: int, total: int, text: str) -> None:
        self.told.append((done, total, text))
        if self.stop(done, text):
            raise Interrupted

    def steps(self, what: str) -> list[int]:
        return [done for done, _, text in self.told if text.startswith(what)]


def train_supernet(of: AnyCell, folder: Path, progress: Progress | None = None) -> PhaseResult:
    """The cell's phase, carried out with a checkpoint at each epoch, and finished as a run finishes it."""
    system = SYSTEMS.get(of.system)
    (phase,) = system.phases(of)
    folder.mkdir(exist_ok=True)
    result = system.runner.run_phase(
        phase, of, RunContext(folder, progress=progress or Progress(), checkpoint_seconds=0)
    )
    finish(phase, folder, result)
    return result


def run(of: AnyCell, folder: Path, supernet: Path | None = None, progress: Progress | None = None) -> CellResult:
    """A cell carried out with a checkpoint at each epoch."""
    folder.mkdir(exist_ok=True)
    inputs = {"supernet": supernet} if supernet else {}
    context = RunContext(folder, inputs, progress=progress or Progress(), checkpoint_seconds=0)
    return SYSTEMS.get(of.system).runner.run_cell(of, context)


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained supernet of ``cell("trionet")``."""
    folder = tmp_path_factory.mktemp("supernet")
    train_supernet(cell("trionet"), folder)
    return folder


@pytest.mark.parametrize("operator", ["conv", "local", "axial"])
def test_standalone_cell(operator: str, tmp_path: Path):
    of = cell("standalone", operator=operator)
    fields = run(of, tmp_path)
    result = record(of, fields)
    assert sorted(result.metrics) == ["test_top1", "test_top5", "val_top1"]
    assert result.metrics["test_top5"] == 1.0  # of three classes
    assert result.macs is not None
    assert 0.8 * of.budget <= result.macs <= of.budget  # the space is coarse
    assert result.macs == sum(result.macs_by_operator.values()) == sum(result.macs_by_stage.values())
    assert {block.operator for block in result.placement} == {operator}
    assert sum(block.macs for block in result.placement) == result.macs - sum(
        result.macs_by_stage[part] for part in ("stem", "classifier")
    )
    # a fifth of 60 guides searches, a tenth validates
    counts = result.counts
    assert counts is not None
    assert (counts.train, counts.search_val, counts.val, counts.test, counts.evaluated) == (42, 12, 6, 15, 15)
    assert sorted(result.timings) == ["evaluate_s", "retrain_s"]
    files = ["architecture.json", "history.jsonl", "model.safetensors", "predictions.npz"]
    assert result_names(tmp_path) == files
    # 54 images in batches of 16
    rows = read_history(tmp_path / "history.jsonl")
    assert [(row["phase"], row["epoch"], row["step"]) for row in rows] == [("retrain", e, 3 * e) for e in (1, 2, 3)]


def test_supernet_at_chance_is_not_searched(tmp_path: Path):
    recipe = RECIPE.model_copy(
        update={
            "optimizer": RECIPE.optimizer.model_copy(update={"lr": 1e-9}),
            "search": RECIPE.search.model_copy(update={"at_chance": "draw"}),
        }
    )
    of = replace(cell("trionet"), recipe=recipe)
    train_supernet(of, tmp_path / "supernet")
    with pytest.warns(UserWarning, match="of 12 search-validation images .* a constant answer 33.3%"):
        result = record(of, run(of, tmp_path / "cell", tmp_path / "supernet"))
    assert result.search is not None
    assert result.search.evaluations == len(result.search.evaluated) == 1
    assert "no search was begun" in str(result.search.at_chance)
    assert result.search.operator_prior
    assert result.macs is not None
    assert result.macs <= of.budget


def test_predictions_are_those_that_were_counted(tmp_path: Path):
    fields = run(cell("standalone", operator="conv"), tmp_path)
    with np.load(tmp_path / "predictions.npz") as stored:
        assert stored["labels"].tolist() == [0, 1, 2] * 5
        assert (stored["predictions"] == stored["labels"]).mean() == fields.metrics["test_top1"]
        assert stored["top5_correct"].all()
        assert stored["confidence"].dtype == np.float16


@pytest.mark.parametrize("operator", ["conv", "axial"])
def test_card_and_weights_are_enough_to_use_the_network(operator: str, tmp_path: Path):
    run(cell("standalone", operator=operator), tmp_path)
    architecture, card = read_card(tmp_path / "architecture.json")
    network = build_network(architecture, len(card["classes"]), card["channels"], card["resolution"])
    network.load_state_dict(load_weights(tmp_path / "model.safetensors"))
    images = torch.from_numpy(index().reader.arrays("test")).permute(0, 3, 1, 2).float() / 255
    normalised = (images - torch.tensor(card["mean"])[:, None, None]) / torch.tensor(card["std"])[:, None, None]
    with torch.no_grad():
        predictions = network.eval()(normalised).argmax(1)
    with np.load(tmp_path / "predictions.npz") as stored:
        assert predictions.tolist() == stored["predictions"].tolist()
    assert card["classes"] == ["left", "middle", "right"]


def test_trionet_cell(supernet: Path, tmp_path: Path):
    of = cell("trionet")
    progress = Progress()
    fields = run(of, tmp_path, supernet, progress)
    result = record(of, fields)
    assert sorted(result.metrics) == [
        "finetuned_test_top1", "inherited_test_top1", "inherited_val_top1", "search_val_top1",
        "test_top1", "test_top5", "val_top1",
    ]  # fmt: skip
    assert sorted(result.timings) == ["evaluate_s", "finetune_s", "retrain_s", "search_s", "supernet_s"]
    search = result.search
    assert search is not None
    assert (search.algorithm, search.sampler, search.sharing) == ("evolution", "hierarchical", "multi-head")
    assert search.evaluations == len(search.evaluated) == 2 * 4
    assert [state.evaluations for state in search.best_by_generation] == [4, 8]
    assert all(child.macs <= of.budget for child in search.evaluated)
    assert search.calibration_images == 16  # whole batches of 8 in 20
    # the network of the record is the best of those that were scored
    best = max(search.evaluated, key=lambda child: (child.fitness, child.macs))
    assert (result.macs, search.fitness) == (best.macs, "loss")
    assert best.fitness < 0 < result.metrics["search_val_top1"]
    assert "".join(block.operator[0] for block in result.placement) == best.operators
    assert search.best_by_generation[-1].best_macs == result.macs
    # the network is a member of its space, and costs what is written
    assert result.architecture is not None
    assert architecture_macs(TINY.from_dict(result.architecture), 3, 1, 8) == result.macs
    priors = {(prior.stage, prior.block) for prior in search.operator_prior}
    assert priors == {(0, 0), (0, 1), (1, 0)}
    for place in priors:
        assert sum(p.share for p in search.operator_prior if (p.stage, p.block) == place) == pytest.approx(1)
    assert {probe.probe for probe in search.probes} >= {"smallest", "largest", "all-conv", "all-local", "all-axial"}
    assert {probe.epoch for probe in search.probes} == {1, 2}
    rows = read_history(tmp_path / "history.jsonl")
    assert [row["phase"] for row in rows] == ["retrain"] * 3 + ["finetune"] * 2
    files = ["architecture.json", "evaluations.jsonl", "history.jsonl", "model.safetensors", "predictions.npz"]
    assert result_names(tmp_path) == files
    assert [progress.steps(what)[-1] for what in ("search", "retrain", "finetune")] == [8, 9, 6]


def test_random_search_scores_as_many(supernet: Path, tmp_path: Path):
    search = run(cell("trionet", search="random"), tmp_path, supernet).search
    assert search is not None
    assert (search.algorithm, search.evaluations) == ("random", 8)


def test_without_finetuning_there_is_no_such_number(supernet: Path, tmp_path: Path):
    recipe = RECIPE.model_copy(update={"finetune_epochs": 0})
    fields = run(replace(cell("trionet"), recipe=recipe), tmp_path, supernet)
    assert "finetuned_test_top1" not in fields.metrics
    assert "finetune_s" not in fields.timings


def test_supernet_phase(tmp_path: Path):
    result = train_supernet(cell("trionet"), tmp_path)
    # 42 images in batches of 16, two epochs
    assert result.facts["steps"] == 2 * 2
    # 4 steps of 3 children; a child has two or three blocks
    assert 4 * 3 * 2 <= sum(result.facts["operator_draws"].values()) <= 4 * 3 * 3
    assert list(result.timings) == ["supernet_s"]
    json.dumps(result.facts)
    assert result_names(tmp_path) == ["history.jsonl", "phase.json", "weights.safetensors"]
    rows = read_history(tmp_path / "history.jsonl")
    assert [(row["phase"], row["epoch"]) for row in rows] == [("supernet", 1), ("supernet", 2)]


@contextmanager
def parts_asked_for(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The splits that are looked into meanwhile."""
    asked: set[str] = set()
    parts = ImageData.parts

    def remember(self: ImageData, *names: str) -> Any:
        asked.update(names)
        return parts(self, *names)

    with monkeypatch.context() as patch:
        patch.setattr(ImageData, "parts", remember)
        yield asked


def test_search_sees_neither_test_nor_validation_images(
    supernet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    of = cell("trionet")
    with parts_asked_for(monkeypatch) as asked:
        train_supernet(of, tmp_path / "phase")
        SYSTEMS.get("trionet").runner.run_search(of, RunContext(tmp_path, {"supernet": supernet}))
    assert asked == {"train", "search_val"}


def test_supernet_learns_and_calibrates_on_train_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Scores would flatter children that had been trained, or calibrated, on the images that score them.
    of = cell("trionet")
    context = TrainingContext.open(of, RunContext(tmp_path))
    rows = {part: set(context.images.rows[part].tolist()) for part in ("train", "search_val")}
    scorer = child_scorer(context, Supernet(of.space, context.build, MultiHeadSharing(), of.seed))
    assert set(scorer.calibration.batches.images.rows.tolist()) <= rows["train"]
    assert set(scorer.batches.images.rows.tolist()) == rows["search_val"]
    assert set(context.train_batches("train").images.rows.tolist()) == rows["train"]
    seen: list[tuple[str, ...]] = []
    train_batches = TrainingContext.train_batches
    monkeypatch.setattr(
        TrainingContext, "train_batches", lambda self, *parts: (seen.append(parts), train_batches(self, *parts))[1]
    )
    train_supernet(of, tmp_path / "phase")
    assert seen == [("train",)]


def test_calibration_images_are_the_same_each_time(tmp_path: Path):
    def batches(images: int) -> CalibrationBatches:
        search = RECIPE.search.model_copy(update={"calibration_images": images, "calibration_batch": 8})
        of = replace(cell("trionet"), recipe=RECIPE.model_copy(update={"search": search}))
        return TrainingContext.open(of, RunContext(tmp_path)).calibration_batches()

    twenty = batches(20)
    assert len(twenty) == 16
    assert [len(batch) for batch in twenty] == [8, 8]
    assert all(torch.equal(a, b) for a, b in zip(twenty, twenty, strict=True))
    assert len(batches(1000)) == 40  # of 42
    assert [len(batch) for batch in batches(4)] == [8]


def test_all_models_of_a_seed_see_the_same_images_in_the_same_order(tmp_path: Path):
    one, other = (
        TrainingContext.open(of, RunContext(tmp_path)).train_batches("train", "search_val").epoch(1)
        for of in (cell("trionet"), cell("standalone", operator="conv", budget=90_000))
    )
    for (images, labels), (same_images, same_labels) in zip(one, other, strict=True):
        assert torch.equal(images, same_images)
        assert torch.equal(labels, same_labels)


def timeless(result: CellResult) -> CellResult:
    return result.model_copy(update={"timings": {}})


def same_files(one: Path, other: Path) -> bool:
    names = [
        path.name for path in one.iterdir() if path.suffix in (".safetensors", ".npz") or "evaluations" in path.name
    ]
    assert len(names) >= 1
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_same_seed_same_bits(supernet: Path, tmp_path: Path):
    of = cell("trionet")
    once, again = (train_supernet(of, tmp_path / name) for name in ("phase", "phase again"))
    assert once.facts == again.facts
    assert same_files(tmp_path / "phase", tmp_path / "phase again")
    assert same_files(tmp_path / "phase", supernet)
    one, other = (timeless(run(of, tmp_path / name, tmp_path / "phase")) for name in ("one", "other"))
    assert one == other
    assert same_files(tmp_path / "one", tmp_path / "other")


def test_other_seeds_differ(tmp_path: Path):
    one, other = (run(cell("standalone", seed=seed, operator="axial"), tmp_path / str(seed)) for seed in (0, 1))
    assert one.architecture == other.architecture
    assert not same_files(tmp_path / "0", tmp_path / "1")


def test_drop_path_of_the_recipe_is_followed(tmp_path: Path):
    of = cell("standalone", operator="conv")
    run(of, tmp_path / "without")
    dropping = replace(of, recipe=RECIPE.model_copy(update={"drop_path": 0.5}))
    for name in ("with", "again"):
        run(dropping, tmp_path / name)
    assert same_files(tmp_path / "with", tmp_path / "again")
    assert not same_files(tmp_path / "with", tmp_path / "without")


def test_random_state_of_the_process_does_not_matter(tmp_path: Path):
    for name, seed in (("one", 1), ("other", 2)):
        torch.manual_seed(seed)
        np.random.seed(seed)
        run(cell("standalone", operator="local"), tmp_path / name)
    assert same_files(tmp_path / "one", tmp_path / "other")


def test_interrupted_standalone_cell_goes_on_and_ends_alike(tmp_path: Path):
    of = cell("standalone", operator="conv")
    undisturbed = run(of, tmp_path / "undisturbed")
    with pytest.raises(Interrupted):  # in the third of three epochs of three steps
        run(of, tmp_path / "torn", progress=Progress(lambda done, text: done == 8))
    assert not (tmp_path / "torn" / "model.safetensors").exists()
    progress = Progress()
    resumed = run(of, tmp_path / "torn", progress=progress)
    assert progress.steps("retrain") == [8, 9]  # seven steps had left a checkpoint
    assert timeless(resumed) == timeless(undisturbed)
    assert same_files(tmp_path / "undisturbed", tmp_path / "torn")
    rows = read_history(tmp_path / "torn" / "history.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2, 3]


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        pytest.param(lambda done, text: text.startswith("search") and done == 5, ([*range(1, 9)], 9, 6), id="search"),
        pytest.param(lambda done, text: text.startswith("retrain") and done == 5, ([*range(1, 9)], 5, 6), id="retrain"),
        pytest.param(
            lambda done, text: text.startswith("finetune") and done == 5, ([*range(1, 9)], 0, 2), id="finetune"
        ),
    ],
)
def test_interrupted_trionet_cell_goes_on_and_ends_alike(
    stop: Callable[[int, str], bool], expected: tuple[list[int], int, int], supernet: Path, tmp_path: Path
):
    of = cell("trionet")
    undisturbed = run(of, tmp_path / "undisturbed", supernet)
    with pytest.raises(Interrupted):
        run(of, tmp_path / "torn", supernet, Progress(stop))
    progress = Progress()
    resumed = run(of, tmp_path / "torn", supernet, progress)
    steps = tuple(len(progress.steps(what)) for what in ("retrain", "finetune"))
    assert (progress.steps("search"), *steps) == expected
    assert timeless(resumed) == timeless(undisturbed)
    assert same_files(tmp_path / "undisturbed", tmp_path / "torn")


def test_interrupted_supernet_goes_on_and_ends_alike(supernet: Path, tmp_path: Path):
    with pytest.raises(Interrupted):
        train_supernet(cell("trionet"), tmp_path, Progress(lambda done, text: done == 3))
    progress = Progress()
    train_supernet(cell("trionet"), tmp_path, progress)
    assert progress.steps("supernet") == [3, 4]
    assert same_files(tmp_path, supernet)


@pytest.mark.parametrize("options", [{"sampler": "uniform"}, {"sharing": "prefix"}, {"sandwich": False},
                                     {"distillation": False}, {"operator_level": "network"}])  # fmt: skip
def test_ablation_arms_run(options: dict[str, Any], tmp_path: Path):
    of = cell("trionet", **options)
    train_supernet(of, tmp_path / "phase")
    result = SYSTEMS.get("trionet").runner.run_search(of, RunContext(tmp_path, {"supernet": tmp_path / "phase"}))
    assert result.search is not None
    assert result.search.evaluations == 8
    assert (result.search.sampler, result.search.sharing) == (
        options.get("sampler", "hierarchical"),
        options.get("sharing", "multi-head"),
    )
    TINY.from_dict(result.architecture)


def test_baseline_chooses_its_window_on_search_validation_images(tmp_path: Path):
    of = cell("standalone", operator="local", choose=["window"])
    fields = run(of, tmp_path)
    scored = [json.loads(line) for line in (tmp_path / "options.jsonl").read_text().splitlines()]
    windows = {
        of.space.decode(tuple(entry["genes"])).stages[0].blocks[0].options["window"]: entry["fitness"]
        for entry in scored
    }
    assert sorted(windows) == [3, 5]
    best = max(windows, key=lambda window: windows[window])
    assert {block["window"] for block in record(of, fields).model_dump()["placement"]} == {best}
    assert fields.timings["select_s"] > 0
    rows = read_history(tmp_path / "history.jsonl")
    trained = {
        phase: max(row["epoch"] for row in rows if row["phase"] == phase) for phase in {r["phase"] for r in rows}
    }
    # half of three epochs, each on the 42 train images; the final network for three
    assert trained == {"options, network 1 of 2": 1, "options, network 2 of 2": 1, "retrain": 3}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"operator": "conv", "choose": ["window"]}, "conv networks have no window to choose"),
        ({"operator": "local", "choose": ["window"], "window": 3}, "window is given, so it cannot be chosen"),
    ],
)
def test_option_that_cannot_be_chosen_is_refused(options: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        cell("standalone", **options)
