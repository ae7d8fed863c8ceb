"""Successive halving: networks within the budget are each trained alone, a part of them goes on to longer training.

Jamieson and Talwalkar 2016 (arXiv 1502.07943), with every training from scratch by the whole schedule, so that no
network is judged at a high learning rate (our choice). It shows whether weight sharing pays: by default as many
networks are drawn as the supernet of a ``trionet`` model and its search would pay for, in MACs.
"""

from typing import ClassVar, Self

from pydantic import Field

from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.base import System
from trionet_bench.systems.cell import SystemOptions


class Options(SystemOptions):
    """What a suite may say of successive halving.

    Args:
        rungs: how often networks are compared; the last rung trains as long as the recipe.
        factor: by which the networks get fewer and their epochs more from rung to rung.
        networks: of the first rung; None for as many as the compute of a supernet and its search allows.
        budgets: that share this supernet, in MACs, where they are several: those of the suite.
    """

    added_later: ClassVar[tuple[str, ...]] = ("budgets",)

    rungs: int = Field(default=3, ge=1, le=10)
    factor: int = Field(default=2, ge=2, le=10)
    networks: int | None = Field(default=None, ge=1, lt=10_000)
    budgets: tuple[int, ...] = ()

    def among(self, budgets: tuple[int, ...]) -> Self:
        """With the budgets, where the number of networks depends on them."""
        return self if self.networks is not None or len(budgets) < 2 else self.model_copy(update={"budgets": budgets})


class Halving(System[Options, ResNetSpace]):
    """Stand-alone networks, the better half of which goes on."""

    name = "halving"
    summary = "networks trained alone, the better half of which goes on to longer training; no weights are shared"
    options_type = Options
    space_type = ResNetSpace
    implementation = "trionet_bench.systems.halving.running:HalvingRunner"
