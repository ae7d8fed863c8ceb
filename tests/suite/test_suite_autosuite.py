"""What ``compare`` proposes for data that it has not seen: every choice from the data, or as asked."""

import numpy as np
import pytest
import yaml
from PIL import Image

from trionet_bench.errors import UsageError
from trionet_bench.suite.autosuite import QUICK_STEPS, CompareOptions, propose
from trionet_bench.suite.specification import load_suite


@pytest.fixture
def photos(tmp_path):
    """Two classes, 70 train and 10 test images of 40 pixels each."""
    generator = np.random.default_rng(0)
    for part, count in (("train", 70), ("test", 10)):
        for name in ("cat", "dog"):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "photos"


def test_quick_proposal_is_a_valid_suite(photos, tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    proposal = propose(str(photos), CompareOptions(), folder)
    path = folder / "suite.yaml"
    path.write_text(proposal.text)
    suite = load_suite(path)
    assert proposal.content["datasets"]["photos"] == {"source": "folder:../photos", "resolution": 32}
    assert list(suite.models) == ["conv", "local", "axial", "trionet"]
    assert suite.seeds == (0, 1, 2, 3, 4)
    assert suite.comparisons[0].baseline == "conv"
    # 140 train images are 4 steps of 32: as many epochs as make the quick number of steps
    assert proposal.content["recipe"]["epochs"] == round(QUICK_STEPS / 4)
    # every operator has room: the smallest network of the most expensive operator fits twice
    space = suite.models["axial"].space
    assert space.resolution == 16
    assert space.to_dict()["stem"] == "conv3-pool"
    assert all(line.startswith("# ") for line in proposal.text.splitlines()[: len(proposal.reasons)])


def test_wishes_are_followed(photos, tmp_path):
    options = CompareOptions(
        models=("axial", "conv"), budget=5_000_000, seeds=3, epochs=7, resolution=16, recipe="small"
    )
    content = propose(str(photos), options, tmp_path).content
    assert content["budgets"] == ["5M"]
    assert content["seeds"] == [0, 1, 2]
    assert content["recipe"]["base"] == "small"
    assert content["recipe"]["epochs"] == 7
    assert content["datasets"]["photos"]["resolution"] == 16
    assert content["comparisons"][0]["baseline"] == "axial"
    assert yaml.safe_load(yaml.safe_dump(content)) == content


def test_every_kind_of_network_has_room(photos, tmp_path):
    alone = propose(str(photos), CompareOptions(resolution=48), tmp_path)
    beside = propose(str(photos), CompareOptions(models=("conv", "glit"), resolution=48), tmp_path)
    (own,), (common,) = alone.content["budgets"], beside.content["budgets"]
    assert float(common[:-1]) > float(own[:-1])
    assert any("glit-nano" in reason for reason in beside.reasons)
    path = tmp_path / "suite.yaml"
    path.write_text(beside.text)
    suite = load_suite(path)
    glit, conv = suite.models["glit"], suite.models["conv"]
    assert glit.space_at(48).kind == "glit"
    assert glit.recipe.optimizer.lr < conv.recipe.optimizer.lr
    assert (glit.recipe.epochs, glit.recipe.batch) == (conv.recipe.epochs, conv.recipe.batch)


def test_full_setting_takes_the_images_own_size(photos, tmp_path):
    content = propose(str(photos), CompareOptions(quick=False), tmp_path).content
    assert (content["recipe"], content["space"], content["seeds"]) == ("small", "resnet-nano", [0, 1, 2, 3, 4])


def test_digits_by_uri(tmp_path):
    content = propose("sklearn:digits", CompareOptions(), tmp_path).content
    assert content["datasets"] == {"digits": {"source": "sklearn:digits", "resolution": 16}}
    assert content["space"] == "resnet-nano"


def test_unknown_model(tmp_path):
    with pytest.raises(UsageError, match='did you mean "local"'):
        propose("sklearn:digits", CompareOptions(models=("conv", "locl")), tmp_path)


def test_quick_takes_a_part_of_a_large_set(tmp_path):
    labels = np.arange(12_010) % 10
    np.savez(
        tmp_path / "large.npz",
        train_images=np.zeros((12_010, 8, 8), np.uint8),
        train_labels=labels,
        test_images=np.zeros((10, 8, 8), np.uint8),
        test_labels=labels[:10],
    )
    quick = propose(str(tmp_path / "large.npz"), CompareOptions(), tmp_path)
    # 6,000 images are 187 steps of 32: four epochs for 800 steps
    assert quick.content["datasets"]["large"]["train_images"] == 6_000
    assert quick.content["recipe"]["epochs"] == 4
    for options in (CompareOptions(quick=False), CompareOptions(epochs=2)):
        full = propose(str(tmp_path / "large.npz"), options, tmp_path)
        assert "train_images" not in full.content["datasets"]["large"]
