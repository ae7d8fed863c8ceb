"""A supernet at chance is not searched."""

import math

from trionet_bench.search.chance import near_chance


def test_two_standard_errors_above_the_constant_answer_are_the_limit():
    # 400 images, half of them right by a constant answer: standard error sqrt(0.25 / 400) = 0.025, limit 0.55
    assert math.isclose(0.5 + 2 * math.sqrt(0.5 * 0.5 / 400), 0.55)
    assert near_chance({"all-conv": 0.48, "all-axial": 0.551}, 0.5, 400) == ""
    said = near_chance({"all-conv": 0.48, "all-axial": 0.549}, 0.5, 400)
    assert "best probe, all-axial, has 54.9% right" in said
    assert "a constant answer 50.0% (standard error 2.5%)" in said
