import math

import pytest
from support.tiny import TINY, all_networks

from trionet_bench.errors import UsageError
from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.search.spreading import spread
from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.presets import RESNET_NANO

BUDGET = 4_000_000


def cost(genes: Genes) -> int:
    return architecture_macs(RESNET_NANO.decode(genes), 10, 1, 16)


def test_thirty_networks_fill_the_range_and_mix_the_operators():
    networks = spread(RESNET_NANO, cost, BUDGET, 30)
    assert len({*networks}) == 30
    macs = sorted(map(cost, networks))
    assert macs[-1] <= BUDGET
    # a third in each third of the range by its logarithm, give or take what sixteen draws leave
    low, high = math.log(macs[0]), math.log(BUDGET)
    thirds = [
        sum(low + (high - low) * i / 3 <= math.log(m) < low + (high - low) * (i + 1) / 3 for m in macs)
        for i in range(3)
    ]
    assert min(thirds) >= 6
    shares = {"conv": [], "local": [], "axial": []}
    for genes in networks:
        blocks = [b.operator for stage in RESNET_NANO.decode(genes).stages for b in stage.blocks]
        for operator, of in shares.items():
            of.append(blocks.count(operator) / len(blocks))
    for of in shares.values():  # from none to most of a network, a third of all blocks on average
        assert min(of) == 0
        assert max(of) >= 0.75
        assert sum(of) / 30 == pytest.approx(1 / 3, abs=0.12)


def test_fewer_networks_are_the_first_of_more():
    assert spread(RESNET_NANO, cost, BUDGET, 5) == spread(RESNET_NANO, cost, BUDGET, 9)[:5]


def test_too_few_networks_are_told():
    everything = all_networks(TINY)
    with pytest.raises(UsageError, match=f"does not show {len(everything) + 1} different networks"):
        spread(TINY, lambda genes: 1 + sum(genes), 10**9, len(everything) + 1)
