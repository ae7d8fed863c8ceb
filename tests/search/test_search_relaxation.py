"""Searching by gradients: mixtures of operators, which half trains what, and the network that is kept."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from support.operators import drawn
from support.system_cases import TINY_FAB

from trionet_bench.networks.layers import initialise
from trionet_bench.networks.mac_totals import counted_macs
from trionet_bench.networks.mixture import Mixture, mix, split_parameters
from trionet_bench.networks.resnet import ResNet
from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.search.budget import BudgetRange
from trionet_bench.search.relaxation import Halves, RelaxedStep, discretised
from trionet_bench.spaces.choice import Genes
from trionet_bench.tasks.classification.runner import ClassificationRunner
from trionet_bench.tasks.classification.task import Classification
from trionet_bench.training.recipe import resolve_recipe

SPACE = TINY_FAB.at_scale(1.0)


def mixed() -> tuple[ResNet, list[Mixture]]:
    network = ResNet(SPACE.decode((0, 0, 0)), 3, 1, 8)
    candidates = {
        (0, 0): [SPACE.decode((0, option, 0)).stages[0].blocks[0] for option in range(3)],
        (1, 0): [SPACE.decode((0, 0, option)).stages[1].blocks[0] for option in range(3)],
    }
    mixtures = mix(network, candidates, 8)
    return initialise(network, 0), mixtures


def test_a_mixture_is_the_weighted_sum_of_its_candidates_and_of_one_where_its_logit_is_far_above():
    _, mixtures = mixed()
    mixture = mixtures[0].double().eval()
    mixture.logits.data = torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64)
    x = drawn(2, 8, 4, 4)
    weights = np.exp([0, 1, -1]) / np.exp([0, 1, -1]).sum()
    expected = sum(float(w) * candidate(x) for w, candidate in zip(weights, mixture.candidates, strict=True))
    torch.testing.assert_close(mixture(x), expected)
    mixture.logits.data = torch.tensor([0.0, 50.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(mixture(x), mixture.candidates[1](x))


def test_both_counts_of_a_mixed_network_are_equal():
    network, mixtures = mixed()
    assert counted_macs(network, 8, 8, 1) == sum(cost.macs for cost in network.costs(8, 8))
    assert mixtures[0].macs(4, 4) == sum(candidate.macs(4, 4) for candidate in mixtures[0].candidates)


def test_weights_learn_from_the_first_half_and_operators_from_the_second():
    network, _ = mixed()
    for name, parameter in network.named_parameters():
        if name.endswith("expand_norm.weight"):  # which begins at 0 and would hide the operators
            parameter.data += 1
    recipe = resolve_recipe({"base": "quick", "label_smoothing": 0.0})
    task = ClassificationRunner(Classification(), 3, 3, 1, 8, recipe, 0, torch.device("cpu"))
    images, labels = drawn(8, 1, 8, 8).float(), torch.arange(8) % 3
    logits, weights = split_parameters(network.train())
    assert len(logits) == 2 and len(logits) + len(weights) == len([*network.parameters()])
    RelaxedStep(network, task)(images, labels, 0)
    halves = {}
    for name, part in (("weights", slice(0, 4)), ("operators", slice(4, 8))):
        loss = torch.nn.functional.cross_entropy(network(images[part]), labels[part])
        halves[name] = torch.autograd.grad(loss, [*logits, *weights], allow_unused=True)
    for parameter, of_operators in zip(logits, halves["operators"][:2], strict=True):
        torch.testing.assert_close(parameter.grad, of_operators)
    for parameter, of_weights in zip(weights, halves["weights"][2:], strict=True):
        torch.testing.assert_close(parameter.grad, of_weights)
    assert not torch.allclose(halves["weights"][0], halves["operators"][0])


@dataclass(frozen=True)
class Numbered:
    """Batches of one number."""

    number: float
    count: int

    def __len__(self) -> int:
        return self.count

    def epoch(self, epoch: int, first: int = 0):
        for step in range(first, self.count):
            yield torch.full((2, 1), self.number + step), torch.full((2,), epoch)


def test_halves_lie_one_behind_the_other_in_each_batch():
    halves = Halves(Numbered(0, 3), Numbered(10, 4))
    assert len(halves) == 3
    assert [batch.flatten().tolist() for batch, _ in halves.epoch(5, 1)] == [[1, 1, 11, 11], [2, 2, 12, 12]]
    assert [targets.tolist() for _, targets in halves.epoch(5, 2)] == [[5] * 4]


def cost(genes: Genes) -> int:
    return architecture_macs(SPACE.decode(genes), 3, 1, 8)


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (80_000, (0, 2, 1)),  # 78,432: the most probable of each, axial twice
        # local 3x3 in place of axial: 17,728 saved at a loss of log 3 in the second block, 5,792 at log 2 in the first
        (78_000, (0, 2, 0)),
        (55_000, (0, 0, 0)),  # only the cheapest fits
    ],
)
def test_the_most_probable_operators_are_kept_as_far_as_the_budget_goes(most: int, expected: Genes):
    within = BudgetRange(SPACE, cost, 0, most)
    found = discretised(within, [[0.3, 0.1, 0.6], [0.2, 0.6, 0.2]])
    assert found == expected and cost(found) <= most
