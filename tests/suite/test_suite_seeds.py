"""Seeds that are added until all is decided: when is looked, at which level, and what a suite must say for it."""

import math
from pathlib import Path

import pytest
from support.studies import small_suite

from trionet_bench.errors import UsageError
from trionet_bench.suite.seeds import SeedPlan
from trionet_bench.suite.specification import load_suite


@pytest.mark.parametrize(
    ("start", "most", "looks"),
    [(3, 12, (3, 5, 8, 12)), (2, 3, (2, 3)), (5, 20, (5, 8, 12, 18, 20)), (4, 5, (4, 5))],
)
def test_each_look_has_half_as_many_seeds_again(start: int, most: int, looks: tuple[int, ...]):
    plan = SeedPlan(start=start, most=most)
    assert plan.looks == looks
    assert [plan.following(count) for count in looks] == [*looks[1:], None]
    assert sum(plan.level(count) for count in looks) == pytest.approx(0.05)


def test_levels_by_hand():
    plan = SeedPlan(start=3, most=12)
    spent = [0.05 * math.log(1 + (math.e - 1) * share) for share in (3 / 12, 5 / 12, 8 / 12, 1)]
    assert plan.level(3) == pytest.approx(spent[0])
    assert plan.level(12) == pytest.approx(spent[3] - spent[2])
    assert [plan.reached(count) for count in (1, 3, 7, 8, 40)] == [3, 3, 5, 8, 12]


def suite_with(folder: Path, seeds: str, margin: str = ", margin: 2") -> Path:
    path = folder / "small.yaml"
    text = small_suite("small").replace("seeds: [0]", f"seeds: {seeds}")
    path.write_text(text.replace("candidates: [trionet]", f"candidates: [trionet]{margin}"))
    return path


def test_a_suite_begins_with_the_first_look(tmp_path: Path):
    suite = load_suite(suite_with(tmp_path, "{start: 3, most: 12, until: decided}"))
    assert (suite.seeds, suite.seed_plan) == ((0, 1, 2), SeedPlan(start=3, most=12))
    assert suite.at(5).seeds == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("seeds", "margin", "message"),
    [
        ("{start: 3, moust: 12}", ", margin: 2", 'unknown key "moust" in seeds; did you mean "most"?'),
        ("{start: 3}", ", margin: 2", 'seeds has no "most"; add it.'),
        (
            "{start: 3, most: 3}",
            ", margin: 2",
            r"seeds: most \(3\) is not above start \(3\); write",
        ),
        ("{start: 1, most: 3}", ", margin: 2", "seeds.start: input should be greater than or equal to 2, not 1"),
        ("{start: 3, most: 12}", "", "seeds until decided need comparisons, each with a margin"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, seeds: str, margin: str, message: str):
    with pytest.raises(UsageError, match=rf"small\.yaml:\d+: .*{message}"):
        load_suite(suite_with(tmp_path, seeds, margin))
