"""The two ResNet-50 are one network; targets by hand."""

import pytest
import torch

from trionet_bench.benchmarks.training import targets, twin
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.skeletons import build_network
from trionet_bench.spaces.published import published


def test_twin_has_our_logits_and_is_refused_where_it_has_not():
    ours = initialise(build_network(published("resnet50"), 10, 3, 64), 0).eval()
    with torch.no_grad():
        for norm in (module for module in ours.modules() if isinstance(module, torch.nn.BatchNorm2d)):
            norm.weight.fill_(0.5)  # the last of every branch begins at 0, which would hide the branch
    theirs = twin(ours, classes=10)
    assert sum(p.numel() for p in theirs.parameters()) == sum(p.numel() for p in ours.parameters())
    ours.stem.pools = False
    with pytest.raises(ArithmeticError, match="logits"):
        twin(ours, classes=10)


def test_targets_by_hand():
    rows = [
        {"network": "resnet50", "ratio": 0.9, "dtype": "float32"},
        {"network": "resnet50", "ratio": 1.2, "dtype": "bfloat16"},
        {"network": "resnet-nano conv", "ratio": 0.5, "dtype": "float32"},  # the other format takes half the time
        {"network": "resnet-nano conv", "ratio": 0.1, "dtype": "bfloat16"},
    ]
    assert [(target.measured, target.met) for target in targets(rows)] == [(1.2, False), (2.0, False)]
