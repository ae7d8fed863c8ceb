"""Networks and operators from Python, for other people's training loops."""

import doctest
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import trionet_bench
from trionet_bench import operators
from trionet_bench.api import models
from trionet_bench.errors import UsageError
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.named import subject
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.operators import AxialAttention, LocalAttention
from trionet_bench.spaces.presets import RESNET_IMAGENET
from trionet_bench.spaces.published import PUBLISHED, published
from trionet_bench.training.checkpoint import save_weights


@pytest.mark.parametrize("module", [operators, models], ids=lambda module: module.__name__)
def test_examples_of_the_documentation_hold(module: object):
    done = doctest.testmod(module)  # type: ignore[arg-type]
    assert (done.failed, done.attempted > 2) == (0, True)


def test_the_names_are_the_published_networks():
    assert trionet_bench.list_models() == sorted(PUBLISHED)
    assert trionet_bench.list_models("local_resnet??") == ["local_resnet26", "local_resnet38", "local_resnet50"]


@pytest.mark.parametrize("layer", [getattr(operators, name) for name in operators.__all__])
@pytest.mark.parametrize(("stride", "expected"), [(1, (9, 5)), (2, (5, 3))])
def test_layers_take_any_size_and_learn(layer: type[SpatialOperator], stride: int, expected: tuple[int, int]):
    torch.manual_seed(0)
    made = layer(32, stride=stride)
    images = torch.randn(3, 32, 9, 5)
    out = made(images)
    assert out.shape == (3, made.out_channels, *expected)
    (out * torch.randn(out.shape)).sum().backward()
    trainable = [parameter for parameter in made.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in trainable)
    assert repr(made).startswith(f"{layer.__name__}(channels=32, ")


def test_initial_weights_follow_the_seed_of_torch():
    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(LocalAttention(16, heads=2).parameters()).detach()

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_a_grown_span_changes_nothing_for_what_fitted_before():
    torch.manual_seed(0)
    layer = AxialAttention(16, heads=2, span=(5, 8)).double().eval()
    images = torch.randn(2, 16, 5, 8, dtype=torch.float64)
    before = layer(images)
    with pytest.raises(ValueError, match="over 9 pixels"):
        layer(torch.zeros(1, 16, 5, 9, dtype=torch.float64))
    layer.grow((7, 9))
    assert torch.equal(layer(images), before)
    assert layer(torch.zeros(1, 16, 7, 9, dtype=torch.float64)).shape == (1, 16, 7, 9)
    assert layer.height.query_positions.shape[1] == 2 * 7 - 1
    assert "span=(7, 9)" in repr(layer)
    with pytest.raises(ValueError, match="cannot shrink"):
        layer.grow(4)


def test_a_layer_takes_the_weights_of_a_block():
    network = initialise(subject("axial_resnet26_s", resolution=32, classes=10).build(), 3)
    operator = network.get_submodule("stages.0.0.axial")
    channels, heads = operator.height.project.qkv.weight.shape[1], operator.height.project.count
    layer = AxialAttention(channels, heads=heads, span=8)
    layer.load_state_dict(operator.state_dict())
    images = torch.randn(2, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer.eval()(images), operator.eval()(images))


def test_a_network_is_made_from_a_name_a_file_or_a_folder(tmp_path: Path):
    torch.manual_seed(0)
    network = trionet_bench.create_model("resnet26", num_classes=7, in_channels=1, resolution=32)
    assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 7)
    card = {
        "space": RESNET_IMAGENET.to_dict(),
        "architecture": published("resnet26").to_dict(),
        "classes": ["a", "b"],
        "channels": 3,
        "resolution": 48,
    }
    (tmp_path / "architecture.json").write_text(json.dumps(card))
    for name in (tmp_path, tmp_path / "architecture.json", str(tmp_path)):
        assert trionet_bench.create_model(name)(torch.zeros(2, 3, 48, 48)).shape == (2, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: operators.Conv(8, kernel=4), "kernel 4: a side is an odd number of pixels"),
        (lambda: operators.Conv(8, stride=3), "stride 3: it is 1 or 2"),
        (lambda: LocalAttention(32, window=0), "window 0: a side"),
        (lambda: LocalAttention(32, heads=0), "heads 0: there is at least one"),
        (lambda: LocalAttention(32, terms="position"), 'unknown terms "position"; did you mean "position_sensitive"?'),
        (lambda: AxialAttention(32, stride=4), "stride 4: it is 1 or 2"),
        (lambda: operators.GlobalAttention(32, heads=-1), "heads -1: there"),
        (lambda: AxialAttention(32, span=4)(torch.zeros(1, 32, 9, 9)), "span 4; build it with a larger span"),
    ],
)
def test_a_layer_that_there_is_not_is_refused(make: Callable[[], object], message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_weights_are_loaded_and_a_head_for_other_classes_begins_anew(tmp_path: Path):
    trained = trionet_bench.create_model("resnet26", num_classes=7, resolution=32)
    save_weights(tmp_path / "model.safetensors", trained)
    same = trionet_bench.create_model("resnet26", num_classes=7, resolution=32, weights=tmp_path)
    assert all(torch.equal(value, same.state_dict()[name]) for name, value in trained.state_dict().items())
    other = trionet_bench.create_model("resnet26", 3, tmp_path / "model.safetensors", resolution=32)
    differing = {name for name, value in trained.state_dict().items() if value.shape != other.state_dict()[name].shape}
    assert differing == {"classifier.weight", "classifier.bias"}
    assert torch.equal(other.stem.conv.weight, trained.stem.conv.weight)
    with pytest.raises(UsageError, match="weights of another network"):
        trionet_bench.create_model("resnet38", weights=tmp_path)
