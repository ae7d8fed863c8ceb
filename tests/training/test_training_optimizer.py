import math

import pytest
import torch
from torch import nn

from trionet_bench.training.optimizer import build_optimizer, learning_rate
from trionet_bench.training.recipe import resolve_recipe

RECIPE = resolve_recipe(
    {
        "epochs": 10,
        "batch": 8,
        "optimizer": {"lr": 1.0, "weight_decay": 0.5},
        "warmup_epochs": 1,
        "supernet": {"epochs": 1},
    }
)


def rates(**changes):
    """All learning rates of 3 epochs of 4 steps."""
    recipe = RECIPE.model_copy(update=changes)
    return [learning_rate(recipe, step, steps_per_epoch=4, epochs=3) for step in range(12)]


def test_warmup_is_linear_and_peaks_at_the_first_step_after_it():
    assert rates()[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_warmup_starts_from_its_own_rate():
    # from 0.5 to 1 in five steps of 0.1
    assert rates(warmup_lr=0.5)[:5] == pytest.approx([0.6, 0.7, 0.8, 0.9, 1.0])


def test_cosine_over_the_steps_after_the_warmup():
    # 8 steps: halfway, step 8, the cosine is at half; the last step is one eighth before the end
    assert rates()[8] == pytest.approx(0.5)
    assert rates()[11] == pytest.approx(0.5 * (1 + math.cos(math.pi * 7 / 8)))


def test_cosine_ends_at_the_minimum():
    assert rates(min_lr=0.2)[8] == pytest.approx(0.6)
    assert learning_rate(RECIPE.model_copy(update={"min_lr": 0.2}), 12, steps_per_epoch=4, epochs=3) == pytest.approx(
        0.2
    )


def test_constant_schedule_stays_at_the_peak():
    assert rates(schedule="constant")[4:] == [1.0] * 8


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.position = nn.Parameter(torch.ones(1, 4, 2))
        self.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)

    def no_weight_decay(self):
        return {"position"}


def test_weight_decay_acts_on_all_trained_parameters_by_default():
    (group,) = build_optimizer(Network(), RECIPE).param_groups
    # convolution weight and bias, norm weight and bias, position
    assert (len(group["params"]), group["weight_decay"]) == (5, 0.5)


def test_weight_decay_spares_vectors_and_what_the_network_names():
    network = Network()
    spare = RECIPE.model_copy(update={"weight_decay_on_norm": False})
    decayed, spared = build_optimizer(network, spare).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.5, 0.0)
    assert [id(p) for p in decayed["params"]] == [id(network.conv.weight)]
    expected = {id(p) for p in (network.conv.bias, network.norm.weight, network.norm.bias, network.position)}
    assert {id(p) for p in spared["params"]} == expected


def test_optimizers_take_their_settings():
    sgd = build_optimizer(Network(), RECIPE)
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.param_groups[0]["momentum"], sgd.param_groups[0]["nesterov"]) == (0.9, True)
    adamw = build_optimizer(Network(), resolve_recipe("deit"))
    assert isinstance(adamw, torch.optim.AdamW)
    assert (adamw.param_groups[0]["betas"], adamw.param_groups[0]["weight_decay"]) == ((0.9, 0.999), 0.05)
