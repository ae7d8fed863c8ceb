"""Numbers and phrases as people read them."""

import pytest

from trionet_bench.reporting.text import DASH, MINUS, interval_words, option_value, percent, plain, tau_text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.126, "0.13"), (-0.126, f"{MINUS}0.13"), (-0.001, "0.00"), (-1.0, f"{MINUS}1.00"), (None, DASH)],
)
def test_a_number_has_a_minus_unless_it_rounds_to_zero(number: float | None, text: str):
    assert plain(number, 2) == tau_text(number) == text


def test_a_share_below_zero_has_a_minus():
    assert percent(-0.0004) == "0.0"
    assert percent(-0.0123) == f"{MINUS}1.2"


def test_options_are_words():
    assert [option_value(value) for value in (True, False, None, ["conv", "axial"], 0.5)] == [
        "yes", "no", DASH, "conv, axial", "0.5",
    ]  # fmt: skip


def test_captions_say_what_intervals_are_over():
    assert interval_words(["crossed", "crossed"]) == " with 95 % intervals over seeds and test images"
    assert interval_words(["t"]) == " with 95 % t-intervals over seeds"
    assert interval_words(["test-set"]) == " with 95 % intervals over test images"
    mixed = " with 95 % intervals over seeds and test images and of single seeds over test images"
    assert interval_words(["crossed", "test-set"]) == mixed
    assert interval_words([""]) == ""
