import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.classifying import classification
from support.tiny import TINY
from torch import Tensor, nn

from trionet_bench.benchmarks.references import term_moments
from trionet_bench.networks.attention.layers import SimilarityNorm
from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.resnet import ResNet
from trionet_bench.networks.sharing import MultiHeadSharing
from trionet_bench.search.calibration import ChildScorer, recalibrate


class Small(nn.Module):
    """Every kind of batch norm, each after something that its predecessors change."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.BatchNorm2d(2)
        self.second = nn.BatchNorm1d(2, momentum=0.3)
        self.third = initialise(SimilarityNorm(2, 1), 0)
        self.dropout = nn.Dropout(0.5)
        self.scale = nn.Parameter(torch.tensor([2.0, 3.0]))
        self.register_buffer("count", torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.first(images))  # (B, 2, H, W)
        x = self.second(self.dropout(x).mean((2, 3)) * self.scale)  # (B, 2)
        similarity = x[:, :, None] * x[:, None, :]  # (B, 2, 2)
        inside = torch.tensor([[[[True, False], [True, True]]]])
        terms = [similarity[:, None], similarity[:, None].square()]
        self.third(term_moments(terms, inside) if self.third.training else None, count=3 * len(images))
        return x


def batches(count: int = 3, size: int = 4, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, 2, 3, 3, generator=generator) * (i + 1) + i for i in range(count)]


def normalised(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """With the statistics of this batch, as a layer in training mode sees it."""
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5)


def test_statistics_are_the_averages_over_batches():
    means: dict[str, list[np.ndarray]] = {"first": [], "second": [], "third": []}
    variances: dict[str, list[np.ndarray]] = {"first": [], "second": [], "third": []}
    for batch in batches():
        x = batch.double().numpy()
        means["first"].append(x.mean((0, 2, 3)))
        variances["first"].append(x.var((0, 2, 3), ddof=1))
        x = np.maximum(normalised(x, (0, 2, 3)), 0).mean((2, 3)) * [2, 3]
        means["second"].append(x.mean(0))
        variances["second"].append(x.var(0, ddof=1))
        x = normalised(x, (0,))
        products = x[:, :, None] * x[:, None, :]
        valid = np.concatenate([products[:, 0, :1], products[:, 1]], axis=1)  # the pair (0, 1) is outside
        means["third"].append(np.array([valid.mean(), (valid**2).mean()]))
        variances["third"].append(np.array([valid.var(ddof=1), (valid**2).var(ddof=1)]))
    network = recalibrate(Small(), batches())
    for name in means:
        norm = network.get_submodule(name)
        np.testing.assert_allclose(norm.running_mean, np.mean(means[name], axis=0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(norm.running_var, np.mean(variances[name], axis=0), rtol=1e-4)


def spoiled() -> Small:
    network = Small()
    for norm in (network.first, network.second, network.third):
        norm.running_mean.fill_(50)
        norm.running_var.fill_(7)
        norm.num_batches_tracked.fill_(9)
    return network


def test_earlier_statistics_do_not_matter():
    fresh, other = recalibrate(Small(), batches()), recalibrate(spoiled(), batches())
    assert all(torch.equal(a, b) for a, b in zip(fresh.buffers(), other.buffers(), strict=True))


def test_recalibrating_twice_changes_nothing():
    network = recalibrate(Small(), batches())
    before = copy.deepcopy(network.state_dict())
    recalibrate(network, batches())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_only_statistics_change(training: bool):
    network = Small().train(training)
    before = copy.deepcopy(network.state_dict())
    assert recalibrate(network, batches()) is network
    changed = {name for name, value in network.state_dict().items() if not torch.equal(before[name], value)}
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert changed == {f"{norm}.{name}" for norm in ("first", "second", "third") for name in statistics}
    assert [network.first.momentum, network.second.momentum, network.third.momentum] == [0.1, 0.3, 0.1]
    assert not any(module.training for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_dropout_stays_off():
    # With dropout the statistics would depend on the random state.
    torch.manual_seed(0)
    one = recalibrate(Small(), batches())
    torch.manual_seed(1)
    other = recalibrate(Small(), batches())
    assert torch.equal(one.get_submodule("second").running_mean, other.get_submodule("second").running_mean)


def test_no_batches_is_an_error():
    network = Small()
    with pytest.raises(ValueError, match="at least one batch"):
        recalibrate(network, [])
    assert network.second.momentum == 0.3
    assert isinstance(recalibrate(nn.Linear(2, 2), []), nn.Linear)  # nothing to calibrate


class HeldOut:
    """Twenty labelled images; a scorer sees images, labels and positions."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(5)
        self.images = torch.randn(20, 2, 8, 8, generator=generator)
        self.labels = torch.randint(3, (20,), generator=generator)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for start in range(0, 20, 8):
            places = torch.arange(20)[start : start + 8]
            yield self.images[places], self.labels[places], places


def scorer() -> ChildScorer:
    supernet = Supernet(TINY, lambda architecture: ResNet(architecture, 3, 2, 8), MultiHeadSharing(), 0)
    with torch.no_grad():
        for parameter in supernet.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    generator = torch.Generator().manual_seed(6)
    calibration = [torch.randn(8, 2, 8, 8, generator=generator) for _ in range(2)]
    return ChildScorer(supernet, classification(), calibration, HeldOut())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("operator", ["conv", "local", "axial"])
def test_scoring_leaves_the_supernet_alone(operator: str, training: bool):
    scored = scorer()
    child = TINY.decode(TINY.middle(TINY.operators_set_to(operator)))
    scored.supernet.train(training)
    before = copy.deepcopy(scored.supernet.state_dict())
    first = scored.score(child)
    assert scored.score(child) == first
    assert scored.supernet.training == training
    assert all(torch.equal(before[name], value) for name, value in scored.supernet.state_dict().items())
    assert all(parameter.grad is None for parameter in scored.supernet.parameters())


def test_score_is_minus_the_loss_of_the_recalibrated_child_and_its_metric_the_accuracy():
    scored, held_out = scorer(), HeldOut()
    child = TINY.decode(TINY.middle(TINY.operators_set_to("axial")))
    network = recalibrate(scored.supernet.extract(child), scored.calibration)
    with torch.no_grad():
        logits = network(held_out.images)
    smoothing = scored.task.recipe.label_smoothing
    loss = torch.nn.functional.cross_entropy(logits.double(), held_out.labels, label_smoothing=smoothing).item()
    assert scored.score(child) == pytest.approx(-loss, rel=1e-5)
    assert scored.metric(child) == pytest.approx((logits.argmax(1) == held_out.labels).float().mean().item())


def test_children_are_scored_with_statistics_of_their_own():
    # Whatever the store's statistics are, the child's are those of the calibration images.
    scored = scorer()
    child = TINY.decode(TINY.middle(TINY.operators_set_to("conv")))
    before = scored.child(child).state_dict()
    with torch.no_grad():
        for statistic in scored.supernet.statistics.buffers():
            statistic.fill_(3)
    assert all(torch.equal(before[name], value) for name, value in scored.child(child).state_dict().items())
