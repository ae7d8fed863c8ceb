"""A trained network in other hands: loaded from its folder, and exported."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from support.tiny import RECIPE, cell, index

import trionet_bench
from trionet_bench.cli.main import main
from trionet_bench.errors import StoreError, UsageError
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.skeletons import build_network
from trionet_bench.spaces.resnet import Block, ResNetArchitecture, Stage
from trionet_bench.systems import exporting
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.exporting import Sample, export
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.systems.trained import TrainedNetwork
from trionet_bench.training.history import read_history

OPERATORS = ("conv", "local", "axial")


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-alone cells, a folder for each operator."""
    root = tmp_path_factory.mktemp("results") / "tests" / "thirds"
    for operator in OPERATORS:
        folder = root / operator / "120K-s0"
        folder.mkdir(parents=True)
        of = cell("standalone", operator=operator)
        SYSTEMS.get("standalone").runner.run_cell(of, RunContext(folder))
        (folder / "record.json").write_text("{}")
    return root


def test_importing_the_package_loads_nothing_heavy():
    heavy = "{'torch', 'numpy', 'click'} & set(sys.modules)"
    script = f"import sys, trionet_bench; assert 'load' in dir(trionet_bench); assert not {heavy}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_loaded_network_predicts_what_the_cell_predicted_bit_for_bit(cells: Path, operator: str):
    model = trionet_bench.load(cells / operator / "120K-s0")
    assert (model.training, model.network.training, model.classes) == (False, False, ("left", "middle", "right"))
    images = index()
    seen = torch.stack([model.transforms(images.read("test", position)) for position in range(15)])
    with torch.no_grad():
        confidence, predictions = model(seen).softmax(1).max(1)
    with np.load(cells / operator / "120K-s0" / "predictions.npz") as stored:
        assert np.array_equal(stored["predictions"], predictions.numpy())
        assert np.array_equal(stored["confidence"], confidence.numpy().astype(np.float16))


@pytest.mark.parametrize("name", ["", "record.json", "architecture.json", "model.safetensors"])
def test_a_cell_is_named_by_its_folder_or_a_file_in_it(cells: Path, name: str):
    assert trionet_bench.load(str(cells / "conv" / "120K-s0" / name)).card["resolution"] == 8


def test_images_are_classified(cells: Path, tmp_path: Path):
    model = trionet_bench.load(cells / "conv" / "120K-s0")
    image = index().read("test", 1)
    guesses = model.classify(image)
    with np.load(cells / "conv" / "120K-s0" / "predictions.npz") as stored:
        assert guesses[0].name == model.classes[stored["predictions"][1]]
        assert guesses[0].probability == pytest.approx(float(stored["confidence"][1]), abs=1e-3)
    assert sum(guess.probability for guess in guesses) == pytest.approx(1)
    assert [guess.probability for guess in guesses] == sorted((g.probability for g in guesses), reverse=True)
    image.save(tmp_path / "image.png")
    assert model.classify(tmp_path / "image.png", most=1) == guesses[:1]
    # any size and mode is brought to what the network takes
    assert model.transforms(Image.new("RGBA", (30, 20))).shape == (1, 8, 8)
    prepared = torch.stack([model.transforms(index().read("test", position)) for position in range(3)])
    assert model.classify(prepared)[1] == guesses
    assert model.classify([tmp_path / "image.png", image], most=2) == [guesses[:2], guesses[:2]]


def test_a_folder_is_predicted_into_a_frame(cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    model = trionet_bench.load("tests:thirds/conv/120K-s0", results=cells.parents[1])
    with np.load(cells / "conv" / "120K-s0" / "predictions.npz") as stored:
        expected = [model.classes[number] for number in stored["predictions"]]
        confidence = stored["confidence"].astype(float)
    for position in range(15):
        place = Path("pictures", "deep" if position > 9 else ".", f"{position:02}.png")
        place.parent.mkdir(parents=True, exist_ok=True)
        index().read("test", position).save(place)
    Path("pictures/notes.txt").write_text("no image")
    frame = model.predict("pictures", probabilities=True)
    places = [*(f"pictures/{p:02}.png" for p in range(10)), *(f"pictures/deep/{p:02}.png" for p in range(10, 15))]
    assert frame.file.tolist() == places
    assert frame.predicted.tolist() == expected
    assert frame.probability.to_numpy() == pytest.approx(confidence, abs=1e-3)
    assert frame[list(model.classes)].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-6)
    alone = frame.iloc[3:4, :3].reset_index(drop=True)
    pd.testing.assert_frame_equal(model.predict(places[3:4]), alone, rtol=1e-5)
    by_file = model.classify_folder("pictures", most=1)
    assert [(file, guess.name) for file, (guess,) in by_file.items()] == list(zip(places, expected, strict=True))
    with pytest.raises(UsageError, match="pictures cannot be read as an image"):
        model.classify("pictures")
    Path("empty").mkdir()
    with pytest.raises(UsageError, match="no images in empty"):
        model.predict("empty")
    predict = partial(CliRunner().invoke, main)
    shown = predict(["predict", str(cells / "conv/120K-s0"), "pictures", "--out", "out.csv"])
    assert shown.exit_code == 0, shown.stderr
    assert pd.read_csv("out.csv").predicted.tolist() == expected
    listed = CliRunner().invoke(
        main, ["predict", str(cells / "conv/120K-s0"), "pictures/00.png", "--json", "--most", "2"]
    )
    (row,) = json.loads(listed.stdout)["images"]
    assert (row["file"], row["classes"][0]["name"], len(row["classes"])) == ("pictures/00.png", expected[0], 2)


def test_a_cell_is_built_anew_and_profiled_by_its_name(cells: Path):
    name, results = "tests:thirds/conv/120K-s0", cells.parents[1]
    network = trionet_bench.create_model(name, num_classes=5, results=results)
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 5)
    shown = CliRunner().invoke(main, ["profile", name, "--json", "--results", str(results)])
    assert shown.exit_code == 0, shown.stderr
    of_file = CliRunner().invoke(main, ["profile", str(cells / "conv/120K-s0/architecture.json"), "--json"])
    assert json.loads(shown.stdout)["macs"] == json.loads(of_file.stdout)["macs"] <= 120_000
    missing = CliRunner().invoke(main, ["profile", "tests:thirds/conv/120K-s9", "--results", str(results)])
    assert missing.exit_code == 2
    assert 'did you mean "tests:thirds/conv/120K-s0"?' in missing.stderr


def test_what_cannot_be_loaded_is_told(cells: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="no cell nowhere, here or in results"):
        trionet_bench.load("nowhere")
    with pytest.raises(UsageError, match=r"has no architecture\.json"):
        trionet_bench.load(tmp_path)
    source = cells / "conv" / "120K-s0"
    card = json.loads((source / "architecture.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((source / "model.safetensors").read_bytes())
    (tmp_path / "architecture.json").write_text(json.dumps({key: card[key] for key in card if key != "view"}))
    with pytest.raises(UsageError, match="does not say view"):
        trionet_bench.load(tmp_path)
    (tmp_path / "architecture.json").write_text(json.dumps({**card, "classes": ["left", "right"]}))
    with pytest.raises(UsageError, match=r"model.safetensors does not fit architecture.json beside it"):
        trionet_bench.load(tmp_path)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UsageError, match="cannot be read as an image"):
        trionet_bench.load(source).classify(tmp_path / "text.png")


def test_a_cell_is_timed_where_its_recipe_asks(tmp_path: Path):
    asked = RECIPE.model_copy(update={"latency": True, "epochs": 1})
    assert asked.key_fields() == RECIPE.model_copy(update={"epochs": 1}).key_fields()
    of = cell("standalone", operator="conv")
    timed = SYSTEMS.get("standalone").runner.run_cell(replace(of, recipe=asked), RunContext(tmp_path))
    assert 0 < timed.timings["latency_s"] < 1


def test_validation_curves_change_no_result(cells: Path, tmp_path: Path):
    of = cell("standalone", operator="axial")
    watched = replace(of, recipe=RECIPE.model_copy(update={"validate_every": 1}))
    result = SYSTEMS.get("standalone").runner.run_cell(watched, RunContext(tmp_path))
    before = cells / "axial" / "120K-s0" / "model.safetensors"
    assert (tmp_path / "model.safetensors").read_bytes() == before.read_bytes()
    rows = read_history(tmp_path / "history.jsonl")
    assert [row["epoch"] for row in rows if "val_top1" in row] == [1, 2, 3]
    assert rows[-1]["val_top1"] == result.metrics["val_top1"]  # of the network that was kept


def mixed() -> TrainedNetwork:
    """A network of every operator, with odd sizes under a stride, and statistics as after training."""
    blocks = (
        Block("conv", 0.5, kernel=3),
        Block("local", 0.5, window=3, heads=2, qk=1.0, v=1.0),
        Block("axial", 0.5, heads=2, qk=0.5, v=1.0),
    )
    stages = (Stage(16, 1, blocks[:2]), Stage(24, 2, blocks[2:]))
    architecture = ResNetArchitecture("conv3-pool", 8, "position_sensitive", stages)
    network = initialise(build_network(architecture, 4, 3, 18), 0)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in [*network.named_buffers(), *network.named_parameters()]:
        if "norm" in name and tensor.is_floating_point():
            tensor.data.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    card = {
        "classes": list("abcd"),
        "channels": 3,
        "resolution": 18,
        "view": "whole",
        "mean": [0.5] * 3,
        "std": [0.2] * 3,
    }
    return TrainedNetwork(network, card)


@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_an_exported_network_is_the_same(form: exporting.Format, tmp_path: Path):
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    found, path = mixed(), tmp_path / f"network{exporting.SUFFIXES[form]}"
    images = torch.randn(5, 3, 18, 18, generator=torch.Generator().manual_seed(1))
    done = export(found, form, path, Sample(images, "five images"))
    assert (done.checked_on, [file.name for file in tmp_path.iterdir()]) == ("five images", [path.name])
    with torch.no_grad():
        expected = found(images)
    assert expected.std() > 0.01  # there is something to agree on
    limit = 1e-4 * max(1.0, expected.abs().max().item())  # float32 through a dozen layers
    assert done.largest_difference <= limit
    run = reread(form, path)
    for batch in (1, 3, 5):
        torch.testing.assert_close(run(images[:batch]), expected[:batch], rtol=0, atol=limit)


def reread(form: str, path: Path):
    """The file as another program would run it."""
    if form == "torch":
        extra = {"architecture.json": ""}
        program = torch.export.load(path, extra_files=extra)
        assert json.loads(extra["architecture.json"])["classes"] == list("abcd")
        return program.module()
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    card = json.loads(session.get_modelmeta().custom_metadata_map["architecture.json"])
    assert card["classes"] == list("abcd")
    return lambda images: torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])


def test_a_file_that_differs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(
        exporting._WRITERS, "torch", lambda program, path, card: lambda images: images.flatten(1)[:, :4]
    )
    with pytest.raises(StoreError, match="differs from the original"):
        export(mixed(), "torch", tmp_path / "network.pt2", Sample(torch.ones(2, 3, 18, 18), "ones"))
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(exporting.NEEDED, "onnx", ("surely_not_installed",))
    with pytest.raises(UsageError, match="needs surely_not_installed; install with: pip install "):
        export(mixed(), "onnx", tmp_path / "network.onnx", Sample(torch.ones(1, 3, 18, 18), "ones"))


def test_the_command_writes_and_checks(cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    index().read("test", 0).save(tmp_path / "digit.png")
    run = partial(CliRunner().invoke, main)
    results = ["--results", str(cells.parents[1])]
    done = run(
        ["export", "tests:thirds/local/120K-s0", "--format", "torch", "--check", "digit.png", *results, "--json"]
    )
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["file"], facts["checked_on"]) == ("thirds-local-120K-s0.pt2", "1 given images")
    assert (tmp_path / "thirds-local-120K-s0.pt2").is_file()
    missing = run(["export", "tests:thirds/loca/120K-s0", *results])
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert 'did you mean "tests:thirds/local/120K-s0"?' in missing.stderr


def test_a_place_where_no_file_can_be_made_is_named(tmp_path: Path):
    folder = Path("/proc")  # of which even root cannot make a file
    if not folder.is_dir():
        pytest.skip("no folder here that root cannot write to")
    path = folder / "network.pt2"
    with pytest.raises(StoreError, match=f"{path} could not be written: .* Name another by --out"):
        export(mixed(), "torch", path, Sample(torch.ones(1, 3, 18, 18), "ones"))


def test_loading_a_network_loads_no_torchvision():
    # It takes longer to load than torch, and only images need it.
    command = "import sys, trionet_bench; trionet_bench.load; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command]).returncode == 0
