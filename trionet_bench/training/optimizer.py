"""The optimizer of a recipe, and its learning rate as a pure function of the step, so that resuming is exact."""

import math
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from trionet_bench.jsontypes import JsonObject
from trionet_bench.training.recipe import Recipe


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The learning rate at ``step`` (from 0): a linear warm-up that reaches its peak at the first step after it, then
    a cosine that would reach ``min_lr`` one step after the last.
    """
    warmup = round(recipe.warmup_epochs * steps_per_epoch)
    total = epochs * steps_per_epoch
    peak = recipe.peak_lr
    if step < warmup:
        return recipe.warmup_lr + (peak - recipe.warmup_lr) * (step + 1) / (warmup + 1)
    if recipe.schedule == "constant":
        return peak
    done = (step - warmup) / max(1, total - warmup)
    return recipe.min_lr + (peak - recipe.min_lr) * 0.5 * (1 + math.cos(math.pi * done))


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Gives all parameters the learning rate ``value``."""
    for group in optimizer.param_groups:
        group["lr"] = value


def build_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over the parameters that are trained.

    Unless ``weight_decay_on_norm``, vectors (biases, norm parameters) and what ``module.no_weight_decay()`` names, such
    as position embeddings, are spared weight decay.
    """
    options = recipe.optimizer
    groups = parameter_groups(module, options.weight_decay, recipe.weight_decay_on_norm)
    # One pass over each weight; torch's own choice takes several, which is a twentieth of a small network's step. Not
    # for SGD: torch 2.15 then fails on weights that get their first gradient later than others, as a supernet's do.
    fused = all(parameter.device.type in ("cpu", "cuda") for group in groups for parameter in group["params"])
    if options.name == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.peak_lr, betas=options.betas, eps=options.eps, fused=fused)
    return torch.optim.SGD(groups, lr=recipe.peak_lr, momentum=options.momentum, nesterov=options.nesterov)


def parameter_groups(module: nn.Module, weight_decay: float, decay_all: bool) -> list[JsonObject]:
    """One group with weight decay and, unless ``decay_all``, one without; empty groups are left out."""
    spared = set(_spared_names(module))
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            spare = not decay_all and (parameter.ndim <= 1 or name in spared)
            (plain if spare else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


@runtime_checkable
class _KnowsSpared(Protocol):
    """A network that names parameters without weight decay."""

    def no_weight_decay(self) -> Iterable[str]: ...


def _spared_names(module: nn.Module) -> Iterable[str]:
    return module.no_weight_decay() if isinstance(module, _KnowsSpared) else ()
