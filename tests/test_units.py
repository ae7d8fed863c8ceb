"""Durations, prefixes, memory and counts as text."""

import pytest

from trionet_bench.units import counted, duration, gibibytes, prefixed, short_duration


def test_durations():
    assert [duration(s) for s in (4.24, 60, 200, 7500)] == ["4.2 s", "1 min 0 s", "3 min 20 s", "2 h 05 min"]


def test_days_are_written_from_two_on_where_they_are_asked_for():
    assert duration(216_000) == "60 h 00 min"
    assert [duration(s, days=True) for s in (172_799, 216_000)] == ["47 h 59 min", "2.5 days"]


def test_short_durations_have_one_unit():
    assert [short_duration(s) for s in (0.1234, 90, 105, 9000)] == ["0.123 s", "90 s", "1.75 min", "2.5 h"]


@pytest.mark.parametrize(
    ("number", "text"),
    [(4_000_000, "4M"), (1_813_000_000, "1.81G"), (1000, "1k"), (820, "820"), (0, "0"), (-2500, "-2.5k"),
     (4.1e12, "4.1T"), (5.3e19, "53E"), (999_900_000, "1000M")],
)  # fmt: skip
def test_decimal_prefixes(number: float, text: str):
    assert prefixed(number) == text


def test_digits_and_separator_of_a_prefixed_number():
    assert prefixed(4_089_184_256, digits=4) == "4.089G"
    assert prefixed(820_000_000, separator=" ") + "B" == "820 MB"
    assert prefixed(12, separator=" ") + "B" == "12 B"


def test_gibibytes():
    assert (gibibytes(3 * 2**29), gibibytes(3 * 2**30, decimals=0)) == ("1.50 GiB", "3 GiB")


def test_counts():
    assert [counted(n, "cell") for n in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]
