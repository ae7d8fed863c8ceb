"""Ablation arms of the supernet: a pair of 1x1 convolutions for each operator, and spaces of fewer operators."""

from itertools import combinations

import numpy as np
import pytest
import torch
from support.tiny import FOUR_STAGES

from trionet_bench.networks.elastic import Naming, Supernet, equal_names
from trionet_bench.networks.resnet import ResNet, names_by_operator
from trionet_bench.networks.sharing import SHARINGS
from trionet_bench.spaces.resnet import TRIO, ResNetSpace
from trionet_bench.spaces.resnet_architecture import ResNetArchitecture

SUBSETS = [subset for size in (1, 2) for subset in combinations(TRIO, size)]
RULES = pytest.mark.parametrize("rule", SHARINGS)


def build(architecture: ResNetArchitecture) -> ResNet:
    return ResNet(architecture, classes=5, input_channels=2, resolution=12)


def supernet(space: ResNetSpace, rule: str, naming: Naming) -> Supernet:
    """Every weight and statistic random: fresh ones hide mistakes, since the last scale of a block begins at zero."""
    net = Supernet(space, build, SHARINGS[rule](), 0, naming)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return net


def images() -> torch.Tensor:
    return torch.randn(3, 2, 12, 12, generator=torch.Generator().manual_seed(0))


def assert_children_equal_their_extractions(net: Supernet) -> None:
    generator = np.random.default_rng(1)
    for training in (True, False):
        net.train(training)
        for _ in range(4):
            child = net.space.decode(net.space.random(generator))
            assert torch.equal(net(images(), child), net.extract(child)(images()))


@RULES
def test_children_equal_their_extractions_with_1x1s_for_each_operator(rule: str):
    assert_children_equal_their_extractions(supernet(FOUR_STAGES, rule, names_by_operator))


@pytest.mark.parametrize("operators", SUBSETS, ids="+".join)
@pytest.mark.parametrize("naming", [equal_names, names_by_operator])
def test_children_of_fewer_operators_equal_their_extractions(operators: tuple[str, ...], naming: Naming):
    net = supernet(FOUR_STAGES.with_dimensions(operators=operators), "multi-head", naming)
    held = {name.split(".")[3] for name in net.store_specs if name.startswith("stages.")} & {*TRIO}
    assert held == set(operators)
    assert_children_equal_their_extractions(net)


@RULES
def test_an_operator_trains_no_1x1_of_another(rule: str):
    net = supernet(FOUR_STAGES, rule, names_by_operator).train()
    child = FOUR_STAGES.decode(FOUR_STAGES.extreme(FOUR_STAGES.operators_set_to("axial"), biggest=True))
    net(images(), child).square().sum().backward()
    pointwise = {name: weight.grad for name, weight in net.weights.items() if "@" in name}
    # two convolutions with a weight, two norms with a weight and a bias, for three operators in seven blocks
    assert len(pointwise) == 6 * 3 * 7
    for name, gradient in pointwise.items():
        assert (gradient is not None) == ("@axial" in name)
    assert net.weights["stages/0/0/shortcut/weight"].grad is not None  # all operators share the shortcut


@RULES
def test_separate_1x1s_are_no_larger_than_their_operator_needs(rule: str):
    shared, separate = (supernet(FOUR_STAGES, rule, naming).store_specs for naming in (equal_names, names_by_operator))
    for name, weight in separate.items():
        if "@" in name:
            module, _, rest = name.partition("@")
            common = shared[f"{module}.{rest.partition('.')[2]}"]
            assert all(size <= common_size for size, common_size in zip(weight.shape, common.shape, strict=True))
    assert separate["stages.0.0.expand@conv.weight"].shape == (24, 12, 1, 1)  # width 24, expansion 1/2
