import copy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.classifying import classification
from support.tiny import FOUR_STAGES, TINY
from torch import Tensor

from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.resnet import ResNet
from trionet_bench.networks.sharing import MultiHeadSharing
from trionet_bench.search.calibration import ChildScorer
from trionet_bench.search.sampling import Child, HierarchicalSampler
from trionet_bench.search.supernet import (
    ProbeCurves,
    SupernetStep,
    operator_draws,
    probe_points,
    probes,
    train_supernet,
)
from trionet_bench.spaces.choice import Genes
from trionet_bench.training.recipe import Recipe, resolve_recipe


def recipe(**supernet: Any) -> Any:
    return resolve_recipe(
        {
            "epochs": 1,
            "batch": 6,
            "optimizer": {"lr": 0.05},
            "label_smoothing": 0.1,
            "supernet": {"epochs": 3, **supernet},
            "search": {"population": 2, "parents": 1, "generations": 1, "crossover": 0, "mutation": 0},
        }
    )


def supernet() -> Supernet:
    net = Supernet(TINY, lambda architecture: ResNet(architecture, 3, 2, 8), MultiHeadSharing(), 0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    return net.train()


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(6, 2, 8, 8, generator=generator), torch.randint(3, (6,), generator=generator)


def smoothed(targets: Tensor) -> Tensor:
    """0.9 for the label and 0.1 spread over all three classes."""
    return 0.9 * torch.eye(3)[targets] + 0.1 / 3


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return -(target * logits.log_softmax(1)).sum(1).mean()


def gradients_by_hand(
    net: Supernet, children: list[Child], images: Tensor, target: Tensor, temperature: float | None
) -> dict[str, Tensor]:
    """Each child alone, as a stand-alone network; then the mean of the gradients. No temperature: no distillation."""
    teacher = net.extract(TINY.decode(children[0].genes))(images).detach()
    total: dict[str, Tensor] = {}
    for child in children:
        net.zero_grad(set_to_none=True)
        logits = net(images, TINY.decode(child.genes))
        if temperature is None or child.role == "biggest":
            loss = cross_entropy(logits, target)
        else:
            soft = (teacher / temperature).softmax(1)
            loss = cross_entropy(logits / temperature, soft) * temperature**2
        loss.backward()
        for name, weight in net.named_parameters():
            if weight.grad is not None:
                total[name] = total.get(name, torch.zeros(())) + weight.grad / len(children)
    net.zero_grad(set_to_none=True)
    return total


def sandwich(net: Supernet, sampler: HierarchicalSampler, trained_by: Recipe) -> SupernetStep:
    return SupernetStep(net, sampler, trained_by, classification(trained_by))


@pytest.mark.parametrize(
    ("settings", "temperature"),
    [
        ({"distillation": True}, 1.0),
        ({"distillation": True, "temperature": 3.0}, 3.0),
        ({"distillation": False}, None),
    ],
)
def test_step_gives_the_mean_of_the_children_s_gradients(settings: dict[str, Any], temperature: float | None):
    net, sampler = supernet(), HierarchicalSampler(TINY, 0, random_children=2)
    images, targets = batch()
    expected = gradients_by_hand(net, sampler.draw(5), images, smoothed(targets), temperature)
    values = sandwich(net, sampler, recipe(**settings))(images, targets, 5)
    found = {name: weight.grad for name, weight in net.named_parameters() if weight.grad is not None}
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-5)
    assert list(values) == ["loss", "loss_biggest", "loss_random", "loss_smallest"]
    biggest = net.extract(TINY.decode(sampler.draw(5)[0].genes))(images)
    assert float(values["loss"]) == pytest.approx(cross_entropy(biggest, smoothed(targets)).item(), rel=1e-5)


def test_distillation_and_labels_are_not_the_same():
    # Otherwise the test above would pass whichever is used.
    net, sampler = supernet(), HierarchicalSampler(TINY, 0, random_children=2)
    images, targets = batch()
    one = gradients_by_hand(net, sampler.draw(5), images, smoothed(targets), 1.0)
    other = gradients_by_hand(net, sampler.draw(5), images, smoothed(targets), None)
    assert max((one[name] - other[name]).abs().max().item() for name in one) > 0.01


def test_without_sandwich_all_children_learn_from_the_labels():
    net, sampler = supernet(), HierarchicalSampler(TINY, 0, random_children=1, sandwich=False)
    images, targets = batch()
    expected = gradients_by_hand(net, sampler.draw(0), images, smoothed(targets), None)
    values = sandwich(net, sampler, recipe(distillation=True))(images, targets, 0)
    assert list(values) == ["loss", "loss_random"]
    for name, weight in net.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(weight.grad, expected[name], rtol=1e-4, atol=1e-5)


def test_mixed_targets_are_probabilities():
    net, sampler = supernet(), HierarchicalSampler(TINY, 0, random_children=0)
    images, targets = batch()
    mixed = 0.5 * torch.eye(3)[targets] + 0.5 * torch.eye(3)[targets.roll(1)]
    expected = gradients_by_hand(net, sampler.draw(0), images, 0.9 * mixed + 0.1 / 3, 1.0)
    sandwich(net, sampler, recipe())(images, mixed, 0)
    for name, weight in net.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(weight.grad, expected[name], rtol=1e-4, atol=1e-5)


def test_step_leaves_statistics_and_random_state_alone():
    net = supernet()
    before, state = copy.deepcopy(net.statistics.state_dict()), torch.get_rng_state()
    sandwich(net, HierarchicalSampler(TINY, 0), recipe())(*batch(), 0)
    assert all(torch.equal(before[name], value) for name, value in net.statistics.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_operator_draws_count_blocks_of_all_children():
    sampler = HierarchicalSampler(FOUR_STAGES, 0, random_children=1)
    expected: Counter[str] = Counter()
    for step in range(4):
        for child in sampler.draw(step):
            for stage in FOUR_STAGES.decode(child.genes).stages:
                expected.update(block.operator for block in stage.blocks)
    assert operator_draws(sampler, 4) == dict(expected)


def test_operators_of_a_child_in_order():
    genes = FOUR_STAGES.random(np.random.default_rng(3))
    blocks = [block for stage in FOUR_STAGES.decode(genes).stages for block in stage.blocks]
    assert FOUR_STAGES.operators_in(genes) == [block.operator for block in blocks]


def test_probes_are_fixed():
    fixed = probes(FOUR_STAGES, seed=0)
    names = ["smallest", "largest", "all-conv", "all-local", "all-axial", "random-1", "random-2", "random-3"]
    assert list(fixed) == names
    assert probes(FOUR_STAGES, seed=0) == fixed
    other = probes(FOUR_STAGES, seed=1)
    assert [name for name in names if other[name] != fixed[name]] == names[5:]
    for operator in ("conv", "local", "axial"):
        assert set(FOUR_STAGES.operators_in(fixed[f"all-{operator}"])) == {operator}
    assert [len(stage.blocks) for stage in FOUR_STAGES.decode(fixed["largest"]).stages] == [2, 2, 1, 2]
    assert [len(stage.blocks) for stage in FOUR_STAGES.decode(fixed["smallest"]).stages] == [1, 1, 1, 1]
    assert all(genes == FOUR_STAGES.canonical(genes) for genes in fixed.values())


class FakeScorer:
    """Scores a network by its width, and counts."""

    def __init__(self) -> None:
        self.supernet = Supernet(TINY, lambda architecture: ResNet(architecture, 3, 2, 8), MultiHeadSharing(), 0)
        self.scored = 0

    def metric(self, architecture: Any) -> float:
        self.scored += 1
        return architecture.stages[1].width / 100


@pytest.mark.parametrize(("epochs", "due"), [(100, [25, 50, 75, 100]), (2, [1, 2]), (1, [1]), (3, [1, 2, 3])])
def test_probes_are_scored_a_few_times(epochs: int, due: list[int]):
    scorer: Any = FakeScorer()
    children: dict[str, Genes] = {"small": TINY.extreme({}, biggest=False), "large": TINY.extreme({}, biggest=True)}
    curves = ProbeCurves(scorer, children, epochs)
    rows = [{"epoch": epoch, **(curves(epoch, {}) or {})} for epoch in range(1, epochs + 1)]
    assert [row["epoch"] for row in rows if "probes" in row] == due
    assert scorer.scored == 2 * len(due)
    assert probe_points(rows, "top1") == [
        {"epoch": epoch, "probe": name, "top1": top1}
        for epoch in due
        for name, top1 in (("small", 0.16), ("large", 0.32))
    ]


class FakeBatches:
    """Two batches an epoch, which depend on its number alone."""

    def __len__(self) -> int:
        return 2

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        return iter([batch(2 * epoch), batch(2 * epoch + 1)][first:])


class HeldOut:
    images = range(6)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        yield (*batch(99), torch.arange(6))


class Interrupted(Exception):
    pass


def train(
    folder: Path, stop_after: int | None = None, steps: list[int] | None = None
) -> tuple[Supernet, list[dict[str, Any]]]:
    """A supernet trained for three epochs; ``stop_after`` so many steps it breaks off. ``steps`` collects them."""
    net = supernet()
    scorer = ChildScorer(net, classification(recipe()), [batch(50)[0]], HeldOut())

    def progress(done: int, total: int, text: str) -> None:
        assert total == 6
        if steps is not None:
            steps.append(done)
        if done == stop_after:
            raise Interrupted

    sampler = HierarchicalSampler(TINY, 0, random_children=1)
    paths = {"checkpoint": folder / "supernet.checkpoint", "history": folder / "history.jsonl"}
    rows = train_supernet(
        net, sampler, FakeBatches(), recipe(), scorer, progress=progress, checkpoint_seconds=0, **paths
    )
    return net, rows


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in ("seconds", "images_per_s")} for row in rows]


def test_training_moves_weights_but_not_statistics(tmp_path: Path):
    fresh = supernet()
    net, rows = train(tmp_path)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(row["phase"] == "supernet" and list(row["probes"]) == list(probes(TINY, 0)) for row in rows)
    assert not torch.equal(net.weights["classifier/weight"], fresh.weights["classifier/weight"])
    for one, other in zip(net.statistics.buffers(), fresh.statistics.buffers(), strict=True):
        assert torch.equal(one, other)


def test_interrupted_training_ends_with_the_same_supernet(tmp_path: Path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    whole, rows = train(tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(tmp_path / "broken", stop_after=5)
    steps: list[int] = []
    resumed, rows_resumed = train(tmp_path / "broken", steps=steps)
    assert steps == [5, 6]  # the checkpoint is of the second of three epochs of two steps
    assert timeless(rows) == timeless(rows_resumed)
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    )
