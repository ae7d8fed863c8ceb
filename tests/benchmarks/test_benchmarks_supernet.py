"""The reference of a sandwich step computes what the step computes; that of a score, the same accuracy."""

import torch
from support.classifying import classification
from support.tiny import TINY

from trionet_bench.benchmarks.supernet import infer, train_standalone
from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.resnet import ResNet
from trionet_bench.networks.sharing import MultiHeadSharing
from trionet_bench.search.sampling import HierarchicalSampler
from trionet_bench.search.supernet import SupernetStep
from trionet_bench.training.recipe import QUICK


def test_children_apart_have_the_gradients_of_the_step():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(6, 3, 8, 8, generator=generator, dtype=torch.float64)
    labels = torch.randint(4, (6,), generator=generator)
    supernet = (
        Supernet(TINY, lambda architecture: ResNet(architecture, 4, 3, 8), MultiHeadSharing(), 0).double().train()
    )
    sampler = HierarchicalSampler(TINY, 0)
    children = sampler.draw(3)
    networks = [supernet.extract(TINY.decode(child.genes)) for child in children]
    train_standalone(children, networks, images, labels, QUICK)
    SupernetStep(supernet, sampler, QUICK, classification())(images, labels, 3)
    together = supernet.weights["classifier/bias"].grad
    apart = sum(network.classifier.bias.grad for network in networks)
    torch.testing.assert_close(together, apart)


def test_infer_counts_right_answers():
    images = torch.eye(3)
    assert infer(torch.nn.Identity(), [(images, torch.tensor([0, 1, 0])), (images, torch.tensor([0, 1, 2]))]) == 5
