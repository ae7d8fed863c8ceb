"""Claims of placement: right where operators stand out, and rare where networks were drawn blindly."""

import numpy as np
import pytest
from scipy import stats
from support.found import Network, found

from trionet_bench.analysis.placement_claims import DRAWS, placement_claims

OPERATORS = ("conv", "local", "axial")


def blind(generator: np.random.Generator, networks: int, depths: tuple[int, ...]) -> list[Network]:
    """Networks whose blocks have operators drawn uniformly."""
    return [[[*generator.choice(OPERATORS, depth)] for depth in depths] for _ in range(networks)]


def test_p_is_the_binomial_tail_where_a_stage_has_one_block():
    networks = [[["axial"]]] * 7 + [[["conv"]], [["local"]]]
    table = placement_claims(found({"d": networks}), ["model"]).set_index("operator")
    exact = stats.binom.sf(6, 9, 1 / 3)  # at least 7 of 9
    assert exact == pytest.approx(0.0083, abs=1e-4)
    assert table.p["axial"] == pytest.approx(exact, abs=4 * np.sqrt(exact / DRAWS))
    assert (table.share["axial"], table.prior["axial"]) == (pytest.approx(7 / 9), pytest.approx(1 / 3))
    assert table.p_holm["axial"] == pytest.approx(3 * table.p["axial"])  # three looks, the smallest p
    assert table.claimed.to_dict() == {"axial": True, "conv": False, "local": False}


def test_blocks_of_a_stage_count_as_one_network():
    deep: list[Network] = [[["conv"], ["axial"] * 4]] * 3 + [[["conv"], ["local", "conv"]]] * 5
    table = placement_claims(found({"d": deep}), ["model"]).set_index(["stage", "operator"])
    assert table.networks[1, "axial"] == 8
    assert table.share[1, "axial"] == pytest.approx(3 / 8)  # not 12 of 22 blocks
    assert not table.claimed[1, "axial"]


def test_nothing_is_claimed_from_fewer_than_eight_networks():
    def claimed(networks: int) -> bool:
        table = placement_claims(found({"d": [[["axial"]]] * networks}), ["model"])
        return bool(table.claimed.any())

    assert [claimed(7), claimed(8)] == [False, True]


def test_groups_and_data_sets_are_kept_apart():
    results = found({"a": [[["axial"]]] * 8, "b": [[["conv"]]] * 8})
    by_set = placement_claims(results, ["dataset", "model"])
    assert set(by_set[by_set.claimed][["dataset", "operator"]].itertuples(index=False, name=None)) == {
        ("a", "axial"),
        ("b", "conv"),
    }
    assert placement_claims(results, ["model"]).claimed.sum() == 0  # half and half
    only = placement_claims(results, ["model"], ["a"])
    assert only[only.claimed].operator.tolist() == ["axial"]


@pytest.mark.parametrize(
    ("networks", "depths", "studies", "most"), [(8, (1, 1, 1), 40, 5), (10, (1, 2, 2), 120, 11), (20, (2, 2), 40, 5)]
)
def test_blind_studies_claim_in_one_of_twenty_at_most(networks: int, depths: tuple[int, ...], studies: int, most: int):
    generator = np.random.default_rng(1)
    claims = sum(
        placement_claims(found({"d": blind(generator, networks, depths)}), ["model"]).claimed.any()
        for _ in range(studies)
    )
    assert stats.binom.sf(most, studies, 0.05) < 0.02  # so seldom are there more at a rate of 5 %
    assert claims <= most
