"""Networks that start from weights of elsewhere: of a cell, of a library; what enters their keys; what is refused."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.pretrained import finished_cell
from support.system_battery import carried_out
from support.tiny import cell, index
from torchvision.models import get_model

import trionet_bench
from trionet_bench.errors import DataError, UsageError
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.library import LibraryNetwork
from trionet_bench.spaces.library import LibraryArchitecture
from trionet_bench.systems.cell import AnyCell
from trionet_bench.systems.paths import FOLDER
from trionet_bench.systems.pretrained.running import read_weights
from trionet_bench.systems.pretrained.system import Options
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.tasks.registry import resolve_task
from trionet_bench.training.checkpoint import load_weights, save_weights

SMALL = "shufflenet_v2_x0_5"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_cell(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as torchvision publishes them, of the initial network."""
    path = tmp_path_factory.mktemp("published") / "small.pth"
    torch.manual_seed(0)
    torch.save(get_model(SMALL).state_dict(), path)
    return path


def phase_key(of: AnyCell) -> str:
    (phase,) = SYSTEMS.get("pretrained").phases(of)
    return phase.key


def unmoved(of: AnyCell) -> AnyCell:
    """The same cell with a vanishing learning rate, so that what it starts from is what it ends with."""
    still = of.recipe.optimizer.model_copy(update={"lr": 1e-20, "weight_decay": 0.0})
    return replace(of, recipe=of.recipe.model_copy(update={"optimizer": still, "epochs": 1}))


def test_training_starts_from_the_weights_at_twice_the_resolution(source: Path, tmp_path: Path):
    of = unmoved(replace(cell("pretrained", budget=1_000_000, weights=str(source)), resolution=16))
    result = carried_out(of, tmp_path)
    before, after = (load_weights(folder / "model.safetensors") for folder in (source, tmp_path / "cell"))
    assert after.keys() == before.keys()
    for name, value in after.items():
        if "running_" in name or "num_batches" in name or name.startswith("classifier"):
            continue
        middle = (value.shape[-1] - before[name].shape[-1]) // 2 if value.shape != before[name].shape else 0
        cut = value[..., middle : value.shape[-1] - middle]
        torch.testing.assert_close(cut, before[name], msg=name)
    assert result.start is not None
    assert result.start.trained_on == "thirds"
    assert result.start.division == "pretrained on thirds"
    assert all(name.endswith("_positions") for name in result.start.adapted) and result.start.adapted
    assert trionet_bench.load(tmp_path / "cell").card["resolution"] == 16


def test_keys_have_the_content_of_the_weights_and_not_their_place(source: Path, tmp_path: Path):
    of = cell("pretrained", weights=str(source))
    copy = tmp_path / "elsewhere"
    shutil.copytree(source, copy)
    moved = cell("pretrained", weights=str(copy))
    assert phase_key(moved) == phase_key(of)
    assert moved.key({"weights": "content"}) == of.key({"weights": "content"}) != of.key({"weights": "other"})
    changed = load_weights(copy / "model.safetensors")
    changed["stem.conv.weight"] += 1
    save_weights(copy / "model.safetensors", changed)
    assert phase_key(moved) != phase_key(of)


def test_paths_start_from_the_suite_and_take_the_seed(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "120K-s3").symlink_to(source)
    options = Options.model_validate({"weights": "runs/{budget}-s{seed}"}, context={FOLDER: tmp_path})
    of = replace(cell("pretrained", weights="x", seed=3), options=options)
    assert phase_key(of) == phase_key(cell("pretrained", weights=str(source)))
    monkeypatch.chdir(tmp_path)
    here = Options.model_validate({"weights": "runs/{budget}-s{seed}"})
    assert phase_key(replace(of, options=here)) == phase_key(of)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "nowhere"}, "weights of model .pretrained. are missing: there is no nowhere/architecture.json"),
        ({"weights": "no.pth", "network": "torchvision:resnet18"}, "there is no no.pth. Give a file of weights; it is"),
    ],
)
def test_missing_weights_are_missing_data(options: dict[str, Any], message: str):
    with pytest.raises(DataError, match=message):
        phase_key(cell("pretrained", **options))


def test_a_network_of_torchvision_is_fine_tuned_from_its_file(published: Path, tmp_path: Path):
    of = cell("pretrained", budget=2_000_000, weights=str(published), network=f"torchvision:{SMALL}")
    SYSTEMS.get("pretrained").check(of)
    result = carried_out(unmoved(of), tmp_path)
    before, after = read_weights(published), load_weights(tmp_path / "cell" / "model.safetensors")
    assert torch.equal(after["model.conv1.0.weight"], before["conv1.0.weight"])
    assert after["model.fc.weight"].shape == (3, 1024)
    assert result.start is not None and result.start.division == "pretrained elsewhere"
    assert result.placement == []
    model = trionet_bench.load(tmp_path / "cell")
    seen = torch.stack([model.transforms(index().read("test", position)) for position in range(15)])
    with torch.no_grad(), np.load(tmp_path / "cell" / "predictions.npz") as stored:
        assert np.array_equal(model(seen).argmax(1).numpy(), stored["predictions"])


def test_it_retrieves_too(source: Path, tmp_path: Path):
    of = cell("pretrained", weights=str(source), task=resolve_task({"name": "retrieval", "embedding": 8}))
    result = carried_out(replace(of, data=replace(of.data, index=index(classes=4))), tmp_path)
    assert {"test_recall_1", "untrained_test_recall_1"} <= result.metrics.keys()


def test_a_library_counts_its_networks_as_the_literature_does():
    # torchvision's documentation: 1.814 GFLOPS (multiply-accumulates) of ResNet-18 at 224 pixels
    macs = LibraryNetwork.macs_of(LibraryArchitecture("torchvision", "resnet18"), 1000, 3, 224)
    assert macs == pytest.approx(1.814e9, rel=1e-3)


def test_heads_are_drawn_from_the_seed():
    architecture = LibraryArchitecture("torchvision", SMALL)
    heads = [initialise(LibraryNetwork(architecture, 3), seed).model.fc.weight for seed in (0, 0, 1)]
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("torchvision:resnet19", "torchvision knows no network resnet19"),
        ("torchvision:vit_b_16", "vit_b_16 of torchvision does not take images of 8 pixels"),
        ("timm:resnet18", "timm is not installed"),
        ("torchvision:squeezenet1_0", "has no linear layer to be its head"),
    ],
)
def test_networks_that_cannot_be_are_refused(
    published: Path, network: str, message: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "timm", None)  # as where it is not installed
    with pytest.raises(UsageError, match=message):
        SYSTEMS.get("pretrained").check(cell("pretrained", weights=str(published), network=network))


def test_files_without_weights_are_refused(tmp_path: Path, published: Path):
    (tmp_path / "torn.pth").write_bytes(b"no weights")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"state_dict": torch.load(published)}, tmp_path / "nested.pth")
    for name, message in (("torn", "not a readable file of weights"), ("list", "holds no weights by name")):
        with pytest.raises(DataError, match=message):
            read_weights(tmp_path / f"{name}.pth")
    assert read_weights(tmp_path / "nested.pth").keys() == read_weights(published).keys()
