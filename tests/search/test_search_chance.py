"""A supernet at chance is not searched."""

import math

import numpy as np

from trionet_bench.search.chance import near_chance


def tail(right: int, images: int) -> float:
    """Probability that a fair coin gives at least ``right`` heads, summed by hand."""
    return math.fsum(math.comb(images, heads) for heads in range(right, images + 1)) / 2**images


def test_the_limit_is_that_of_the_best_of_all_probes():
    # 400 images, half of them right by a constant answer: two probes, so 0.005 for the better one
    assert tail(227, 400) <= 0.005 < tail(226, 400)
    assert near_chance({"all-conv": 0.48, "all-axial": 227 / 400}, 0.5, 400) == ""
    said = near_chance({"all-conv": 0.48, "all-axial": 226 / 400}, 0.5, 400)
    assert "best of its 2 probes, all-axial, has 56.5% right" in said
    assert "a constant answer 50.0% (standard error 2.5%, p = 0.011 over all probes)" in said


def test_supernets_that_know_nothing_are_searched_in_one_of_a_hundred():
    generator = np.random.default_rng(0)
    shares = generator.binomial(400, 0.5, size=(20_000, 5)) / 400  # five probes that guess
    begun = [near_chance({str(i): share for i, share in enumerate(row)}, 0.5, 400) == "" for row in shares.tolist()]
    assert 0.003 < np.mean(begun) <= 0.01
    above_two_errors = np.mean(shares.max(axis=1) > 0.55)
    assert above_two_errors > 0.08  # what the best of several probes does to a limit made for one
