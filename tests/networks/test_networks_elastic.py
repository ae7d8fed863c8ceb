import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny import FOUR_STAGES, TINY, all_networks
from torch import Tensor, nn

from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.layers import Convolution2d, collect_specs, is_statistic, specified_tensor
from trionet_bench.networks.resnet import ResNet
from trionet_bench.networks.sharing import SHARINGS, MultiHeadSharing, PrefixSharing, Sharing, channels, heads
from trionet_bench.spaces.presets import RESNET_IMAGENET, RESNET_NANO
from trionet_bench.spaces.resnet import ResNetSpace, StageChoices
from trionet_bench.spaces.resnet_architecture import ResNetArchitecture

SPACES = pytest.mark.parametrize("space", [RESNET_NANO, FOUR_STAGES], ids=lambda space: space.name)
RULES = pytest.mark.parametrize("rule", SHARINGS.values(), ids=lambda rule: rule.name)

# What is added to all similarities of a query cancels in the softmax.
NO_GRADIENT = "similarity_norm.bias"

# The skeleton of resnet-imagenet with an eighth of its widths.
IMAGENET_SKELETON = RESNET_IMAGENET.with_dimensions(
    name="imagenet-skeleton",
    stem_widths=(4, 6, 8),
    stages=[
        {"depths": stage.depths, "widths": [width // 8 for width in stage.widths], "stride": stage.stride}
        for stage in RESNET_IMAGENET.stages
    ],
)


def build(architecture: ResNetArchitecture) -> ResNet:
    return ResNet(architecture, classes=5, input_channels=2, resolution=12)


def supernet(space: ResNetSpace, rule: type[Sharing] = MultiHeadSharing, seed: int = 0) -> Supernet:
    """Every weight and statistic random: fresh ones hide mistakes, since the last scale of a block begins at zero."""
    net = Supernet(space, build, rule(), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        for name, statistic in net.statistics.named_buffers():
            values = torch.rand(statistic.shape, generator=generator)
            statistic.copy_(values + 0.5 if name.endswith("running_var") else values - 0.5)
    return net


@pytest.mark.parametrize(("operators", "faster"), [(("conv",), True), (("conv", "axial"), False)])
def test_only_a_supernet_of_convolutions_trains_with_channels_last(operators: tuple[str, ...], faster: bool):
    space = FOUR_STAGES.with_dimensions(operators=operators)
    net = Supernet(space, build, MultiHeadSharing(), 0)
    assert net.faster_channels_last(torch.device("cpu")) is faster
    assert not net.faster_channels_last(torch.device("cuda"))


def children(space: ResNetSpace, count: int) -> Iterator[ResNetArchitecture]:
    generator = np.random.default_rng(1)
    for _ in range(count):
        yield space.decode(space.random(generator))


def images(seed: int = 0) -> Tensor:
    return torch.randn(3, 2, 12, 12, generator=torch.Generator().manual_seed(seed))


def operator_sets(space: ResNetSpace, operator: str) -> ResNetArchitecture:
    return space.decode(space.extreme(space.operators_set_to(operator), biggest=True))


@SPACES
@RULES
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_child_equals_its_extraction(space: ResNetSpace, rule: type[Sharing], training: bool):
    net = supernet(space, rule).train(training)
    for child in children(space, 6):
        network = net.extract(child)
        assert network.training == training
        assert torch.equal(net(images(), child), network(images()))


@SPACES
@RULES
def test_gradients_are_the_extraction_s_inside_and_zero_outside(space: ResNetSpace, rule: type[Sharing]):
    net = supernet(space, rule).double()
    for child in children(space, 3):
        network = net.extract(child)
        net.zero_grad(set_to_none=True)
        net(images().double(), child).square().sum().backward()
        network(images().double()).square().sum().backward()
        specs = collect_specs(network)
        for key, parameter in net.weights.items():
            name = key.replace("/", ".")
            if name not in specs or name.endswith(NO_GRADIENT):
                assert parameter.grad is None
                continue
            axes = zip(specs[name].axes, net.store_specs[name].axes, strict=True)
            inside = np.ix_(*(net.sharing.indices(child_axis, full).numpy() for child_axis, full in axes))
            gradient = parameter.grad.clone()
            torch.testing.assert_close(gradient[inside], network.get_parameter(name).grad, rtol=1e-9, atol=1e-12)
            gradient[inside] = 0
            assert not gradient.any()


@SPACES
@RULES
def test_supernet_holds_every_weight_of_every_child(space: ResNetSpace, rule: type[Sharing]):
    net = supernet(space, rule)
    for number, child in enumerate(children(space, 200 if space is FOUR_STAGES else 40)):
        selected = net.select(child)
        if number < 20:
            assert shapes(selected) == standalone_shapes(child)


def shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def standalone_shapes(architecture: Any) -> dict[str, torch.Size]:
    """Of every weight and statistic of the stand-alone network."""
    with torch.device("meta"):
        network = build(architecture)
    return shapes({name: specified_tensor(network, name) for name in collect_specs(network)})


@RULES
def test_supernet_holds_every_child_of_the_imagenet_skeleton(rule: type[Sharing]):
    net = Supernet(IMAGENET_SKELETON, build, rule(), 0)
    for child in children(IMAGENET_SKELETON, 20):
        assert shapes(net.select(child)) == standalone_shapes(child)


@pytest.mark.parametrize(
    ("stem_widths", "widths"),
    [((8, 16), (16,)), ((16,), (8, 16)), ((8, 16), (8, 16)), ((4, 8, 16), (16,)), ((16,), (4, 8, 16)), ((16,), (16,))],
)
def test_supernet_holds_shortcuts_that_come_and_go(stem_widths: tuple[int, ...], widths: tuple[int, ...]):
    # At stride 1 a block has a shortcut with weights only where its input is not as wide as its output.
    stages = (StageChoices((1,), widths, 1), StageChoices((1,), widths, 1))
    space = TINY.with_dimensions(operators=["conv"], stem_widths=list(stem_widths)).with_dimensions(
        stages=[{"depths": s.depths, "widths": s.widths, "stride": s.stride} for s in stages]
    )
    net = Supernet(space, build, MultiHeadSharing(), 0)
    for child in map(space.decode, all_networks(space)):
        assert shapes(net.select(child)) == standalone_shapes(child)


def test_supernet_is_no_larger_than_its_children_need():
    # A channel that no child uses would be trained by nobody.
    space = FOUR_STAGES.with_dimensions(heads=[4])
    net = Supernet(space, build, PrefixSharing(), 0)
    largest: dict[str, tuple[int, ...]] = {}
    for child in itertools.chain(space.cover(), children(space, 30)):
        for name, tensor in net.select(child).items():
            largest[name] = tuple(np.maximum(largest.get(name, tensor.shape), tensor.shape))
    assert largest == {name: spec.shape for name, spec in net.store_specs.items()}


@RULES
def test_training_does_not_move_the_supernet_s_statistics(rule: type[Sharing]):
    net = supernet(FOUR_STAGES, rule).train()
    before = copy.deepcopy(net.statistics.state_dict())
    for child in children(FOUR_STAGES, 5):
        net(images(), child).sum().backward()
    assert before.keys() == net.statistics.state_dict().keys()
    assert all(torch.equal(before[name], now) for name, now in net.statistics.state_dict().items())


@pytest.mark.parametrize("operator", ["conv", "local", "axial"])
def test_operators_that_are_not_used_get_no_gradient(operator: str):
    net = supernet(RESNET_NANO)
    net(images(), operator_sets(RESNET_NANO, operator)).sum().backward()
    for key, parameter in net.weights.items():
        owner = (*key.split("/"), *[""] * 3)[3]  # stages/0/0/axial/...
        silent = owner in {"conv", "local", "axial"} - {operator} or key.replace("/", ".").endswith(NO_GRADIENT)
        assert (parameter.grad is None) == silent


def test_blocks_beyond_the_depth_get_no_gradient():
    net = supernet(RESNET_NANO)
    net(images(), RESNET_NANO.decode(RESNET_NANO.extreme({}, biggest=False))).sum().backward()
    second_blocks = {key for key in net.weights if key.startswith("stages/") and key.split("/")[2] == "1"}
    assert second_blocks
    assert all(net.weights[key].grad is None for key in second_blocks)


def test_the_two_1x1_convolutions_are_shared_between_operators():
    net = supernet(RESNET_NANO)
    used = {
        operator: {name for name in net.select(operator_sets(RESNET_NANO, operator)) if not is_statistic(name)}
        for operator in ("conv", "local", "axial")
    }
    shared = used["conv"] & used["local"] & used["axial"]
    assert {"stages.0.0.reduce.weight", "stages.0.0.expand.weight", "stages.0.0.reduce_norm.weight"} <= shared
    for operator, names in used.items():
        unshared = names - shared
        assert unshared
        assert all(name.split(".")[3] == operator for name in unshared)


def test_children_do_not_influence_one_another():
    net = supernet(FOUR_STAGES)
    one, other = (operator_sets(FOUR_STAGES, operator) for operator in ("local", "axial"))
    first = net(images(), one)
    first.sum().backward()
    first_gradient = {key: w.grad.clone() for key, w in net.weights.items() if w.grad is not None}
    net.zero_grad(set_to_none=True)
    net(images(1), other)
    again = net(images(), one)
    net(images(2), other)  # between the child's forward and its backward
    again.sum().backward()
    assert torch.equal(first, again)
    assert first_gradient.keys() == {key for key, w in net.weights.items() if w.grad is not None}
    assert all(torch.equal(gradient, net.weights[key].grad) for key, gradient in first_gradient.items())


def test_gradients_of_several_children_add_up():
    net = supernet(TINY)
    first, second = itertools.islice(children(TINY, 2), 2)
    total: dict[str, Tensor] = {}
    for child in (first, second):
        net.zero_grad(set_to_none=True)
        net(images(), child).sum().backward()
        for key, weight in net.weights.items():
            if weight.grad is not None:
                total[key] = total.get(key, 0) + weight.grad
    net.zero_grad(set_to_none=True)
    for child in (first, second):
        net(images(), child).sum().backward()
    assert all(torch.equal(gradient, net.weights[key].grad) for key, gradient in total.items())


def test_more_children_than_are_kept_at_hand():
    net = supernet(TINY).eval()
    architectures = [TINY.decode(genes) for genes in all_networks(TINY)[:36]]
    first = [net(images(), architecture) for architecture in architectures]
    again = [net(images(), architecture) for architecture in architectures]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_extraction_is_a_copy():
    net = supernet(TINY)
    child = next(children(TINY, 1))
    before = copy.deepcopy(net.state_dict())
    network = net.extract(child).train()
    network(images()).sum().backward()
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.add_(1)
    assert all(torch.equal(before[name], now) for name, now in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_weights_depend_on_the_seed_alone():
    state = torch.get_rng_state()
    one, same, other = (Supernet(TINY, build, MultiHeadSharing(), seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["weights.classifier/weight"], other["weights.classifier/weight"])


def test_fresh_supernet_starts_like_a_network_of_its_size():
    # as ``layers.initialise`` draws them: Kaiming by fan-out, classifier 1 / (3 C), gamma 1 or 0, variance 1
    net = Supernet(FOUR_STAGES, build, MultiHeadSharing(), 0)
    weight = net.weights["stages/3/1/reduce/weight"]  # 48 to 24 channels
    assert weight.shape[:2] == (24, 48)
    assert weight.std().item() == pytest.approx((2 / 24) ** 0.5, rel=0.1)
    assert net.weights["classifier/weight"].std().item() == pytest.approx((1 / (3 * 48)) ** 0.5, rel=0.2)
    assert not net.weights["stages/3/1/expand_norm/weight"].any()
    assert (net.statistics.get_buffer("stages/3/1/expand_norm/running_var") == 1).all()


def test_state_goes_round():
    net = supernet(TINY).eval()
    child = next(children(TINY, 1))
    loaded = Supernet(TINY, build, MultiHeadSharing(), seed=9)
    loaded.eval()(images(), child)
    loaded.load_state_dict(net.state_dict())
    assert torch.equal(loaded(images(), child), net(images(), child))


def test_copies_are_independent():
    net = supernet(TINY).eval()
    child = next(children(TINY, 1))
    before = net(images(), child)
    twin = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    assert torch.equal(twin(images(), child), before)


def move_to_double(net: nn.Module) -> nn.Module:
    return net.double()


def move_to_gpu(net: nn.Module) -> nn.Module:
    return net.to("cuda")


@RULES
@pytest.mark.parametrize(
    ("move", "tolerance"),
    [
        pytest.param(move_to_double, 1e-4, id="double"),
        pytest.param(
            move_to_gpu, 1e-2, id="cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
        ),
    ],
)
def test_moving_the_supernet(rule: type[Sharing], move: Callable[[nn.Module], nn.Module], tolerance: float):
    net = supernet(TINY, rule).eval()
    architectures = list(children(TINY, 4))
    before = [net(images(), child) for child in architectures]
    move(net)
    weight = next(net.parameters())
    for child, expected in zip(architectures, before, strict=True):
        moved = images().to(weight.device, weight.dtype)
        output = net(moved, child)
        assert (output.dtype, output.device) == (weight.dtype, weight.device)
        assert torch.equal(output, net.extract(child)(moved))
        torch.testing.assert_close(output.cpu().float(), expected, rtol=tolerance, atol=tolerance)


@dataclass(frozen=True)
class Grids:
    """A space of one layer of attention heads: architectures are (heads, dimensions)."""

    members: tuple[tuple[int, int], ...]
    name: str = "grids"

    def cover(self) -> Iterator[tuple[int, int]]:
        return iter(self.members)


class Layer(nn.Module):
    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        self.count = count
        self.project = Convolution2d(channels(3), heads(count, size))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(x).unflatten(1, (self.count, -1))


def test_head_learns_only_its_own_heads_of_the_supernet():
    space: Any = Grids(((4, 8), (2, 16), (4, 4), (2, 8)))
    net = Supernet(space, lambda grid: Layer(*grid), MultiHeadSharing(), 0)
    weight = net.weights["project/weight"]
    assert weight.shape[0] == 4 * 8
    for count, size in space.members:
        united = 4 // count
        for head in range(count):
            net.zero_grad(set_to_none=True)
            net(torch.ones(1, 3, 2, 2), (count, size))[:, head].sum().backward()
            touched = weight.grad.view(8, 4, 3).abs().sum(2) > 0  # dimension, head
            expected = torch.zeros(8, 4, dtype=torch.bool)
            expected[: size // united, head * united : (head + 1) * united] = True
            assert torch.equal(touched, expected)


def test_unknown_weight_is_named():
    space: Any = Grids(((4, 8),))
    net = Supernet(space, lambda grid: Layer(*grid), MultiHeadSharing(), 0)
    net.build = lambda grid: nn.Sequential(Layer(*grid))
    with pytest.raises(KeyError, match=r"the supernet of grids holds no weight 0\.project\.weight"):
        net.select((4, 4))
