from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.tasks import CLASSIFICATION

from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.placement import depth_word, placement_shares, searched_blocks, stage_entropy
from trionet_bench.analysis.results import Declared, Results, load

GROUP = {"dataset": "d", "budget": 1, "model": "m"}


def results(
    networks: list[list[tuple[int, int, str, int] | tuple[int, int, str, int, float]]],
    priors: dict[tuple[int, int], dict[str, float]],
) -> Results:
    """Found networks as lists of (stage, block, operator, MACs, share or 1), one a seed, all under one prior."""
    blocks = [(*GROUP.values(), seed, *(*block, 1.0)[:5]) for seed, network in enumerate(networks) for block in network]
    prior = [
        (*GROUP.values(), seed, *place, operator, share)
        for seed in range(len(networks))
        for place, shares in priors.items()
        for operator, share in shares.items()
    ]
    place = ["stage", "block", "operator"]
    empty = pd.DataFrame()
    return Results(
        Declared((), (), (), empty), CLASSIFICATION, empty,
        pd.DataFrame(blocks, columns=[*CELL, *place, "macs", "share"]),
        pd.DataFrame(prior, columns=[*CELL, *place, "share"]), empty, empty, empty,
    )  # fmt: skip


HALF = {"conv": 0.5, "local": 0.25, "axial": 0.25}
FOUND = results(
    [[(0, 0, "conv", 10), (1, 0, "axial", 30), (1, 1, "axial", 10)], [(0, 0, "conv", 10), (1, 0, "conv", 20)]],
    {(0, 0): HALF, (1, 0): HALF, (1, 1): {"conv": 0.2, "local": 0.2, "axial": 0.6}},
)


def row(table: pd.DataFrame, **where: object) -> pd.Series:
    return table[np.logical_and.reduce([table[name] == value for name, value in where.items()])].iloc[0]


def test_share_of_a_block_is_over_the_networks_that_have_it():
    table = placement_shares(FOUND)
    entry = row(table, stage=1, block=0, operator="axial")
    assert (entry["count"], entry.n, entry.share, entry.prior) == (1, 2, 0.5, 0.25)
    assert row(table, stage=1, block=1, operator="axial").n == 1
    reference = stats.binomtest(1, 2).proportion_ci(method="wilson")
    assert (entry.low, entry.high) == pytest.approx((reference.low, reference.high))


def test_operators_that_were_never_chosen_are_there_with_share_zero():
    assert row(placement_shares(FOUND), stage=0, block=0, operator="local").share == 0


def test_prior_of_a_stage_weighs_its_blocks_as_the_networks_have_them():
    # stage 1 holds block 0 twice and block 1 once: (0.25 + 0.25 + 0.6) / 3
    entry = row(placement_shares(FOUND, level="stage"), stage=1, operator="axial")
    assert (entry["count"], entry.n) == (2, 3)
    assert entry.prior == pytest.approx((0.25 + 0.25 + 0.6) / 3)
    assert entry.macs_share == pytest.approx(40 / 60)


def test_entropy_in_bits_by_hand():
    table = stage_entropy(FOUND)
    assert table.entropy.tolist() == pytest.approx([0, -(2 / 3) * np.log2(2 / 3) - (1 / 3) * np.log2(1 / 3)])
    assert table.prior_entropy.iloc[0] == pytest.approx(1.5)


def test_shares_of_a_place_sum_to_one(made_up: Path):
    for level, place in (("block", ["stage", "block"]), ("stage", ["stage"])):
        table = placement_shares(load([made_up]), level=level)
        sums = table.groupby(["dataset", "budget", "model", *place])[["share", "prior", "macs_share"]].sum()
        np.testing.assert_allclose(sums, 1)


def test_stand_alone_networks_are_no_findings(made_up: Path):
    assert set(searched_blocks(load([made_up])).model) == {"trionet", "random"}


MIXED = results(
    [[(0, 0, "global", 30), (0, 1, "global", 10, 1 / 3), (0, 1, "locality", 10, 2 / 3)], [(0, 0, "locality", 10),
      (0, 1, "locality", 20)]],
    {(0, 0): {"global": 0.5, "locality": 0.5}, (0, 1): {"global": 0.4, "locality": 0.6}},
)  # fmt: skip


def test_block_of_two_operators_counts_for_each_by_its_share():
    entry = row(placement_shares(MIXED), block=1, operator="global")
    assert (entry["count"], entry.n, entry.share, entry.prior) == pytest.approx((1 / 3, 2, 1 / 6, 0.4))
    assert entry.macs_share == pytest.approx(10 / 40)


def test_networks_of_one_stage_are_told_by_block():
    table = placement_shares(MIXED, level="stage")
    assert table[table.operator == "locality"].set_index("stage").share.to_dict() == pytest.approx({0: 0.5, 1: 5 / 6})
    assert depth_word(MIXED, ["m"]) == "block"
    assert depth_word(FOUND, ["m"]) == "stage"
