"""Successive halving: who is trained for how long, at whose cost, and who is kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from support.carried import record
from support.tiny import RECIPE, cell

from trionet_bench.records.record import CellResult
from trionet_bench.search.spreading import networks_near
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.cost import budget_range
from trionet_bench.systems.halving.running import HalvingCell, Rung, compute_of_search, rungs
from trionet_bench.systems.registry import SYSTEMS


def study(budgets: tuple[int, ...] = (), **options: Any) -> HalvingCell:
    """A cell of 42 training and 12 search-validation images, three epochs, in a suite of these budgets."""
    of = cast(HalvingCell, cell("halving", **options))
    return replace(of, options=of.options.among(budgets))


def run(of: HalvingCell, folder: Path) -> CellResult:
    folder.mkdir()
    return SYSTEMS.get("halving").runner.run_cell(of, RunContext(folder))


def test_rungs_halve_the_networks_and_double_the_epochs():
    of = replace(study(networks=9, rungs=3), recipe=RECIPE.scaled(12))
    assert rungs(of) == [Rung(9, 3), Rung(4, 6), Rung(2, 12)]
    thirds = replace(study(networks=9, rungs=2, factor=3), recipe=RECIPE.scaled(12))
    assert rungs(thirds) == [Rung(9, 4), Rung(3, 12)]


@pytest.mark.parametrize("budgets", [(), (100_000, 120_000)])
def test_as_many_networks_as_supernet_and_search_pay_for(budgets: tuple[int, ...]):
    of = study(budgets, rungs=2)
    paid = compute_of_search(of)

    def cost(planned: list[Rung]) -> float:
        # an epoch is 42 images forward and twice backward; 12 images are scored
        return sum(rung.networks * of.budget * (3 * 42 * rung.epochs + 12) for rung in planned)

    planned = rungs(of)
    first, second = planned
    assert (first.epochs, second.epochs, second.networks) == (2, 3, max(1, first.networks // 2))
    one_more = [Rung(first.networks + 1, 2), Rung(max(1, (first.networks + 1) // 2), 3)]
    assert cost(planned) <= paid < cost(one_more)


def test_a_supernet_that_serves_two_budgets_counts_half_for_each():
    search = 2 * 4 * 120_000 * (20 + 12)  # 2 generations of 4, each calibrated on 20 images and scored on 12
    alone, of_two = (compute_of_search(study(budgets)) for budgets in ((), (120_000, 120_000)))
    assert of_two - search == pytest.approx((alone - search) / 2)


def test_a_key_names_the_budgets_where_the_networks_follow_from_them():
    plain, alone, several = study(), study((120_000,)), study((100_000, 120_000))
    assert plain.key({}) == alone.key({}) != several.key({})
    assert study(networks=3).key({}) == study((100_000, 120_000), networks=3).key({})


def test_the_best_of_the_last_rung_is_retrained(tmp_path: Path):
    of = study(rungs=2, networks=3)
    result = record(of, run(of, tmp_path / "cell"))
    search = result.search
    assert search is not None
    first = [child for child in search.evaluated if child.level == 1]
    second = [child for child in search.evaluated if child.level == 2]
    assert (len(first), len(second), search.evaluations) == (3, 1, 4)
    best = max(first, key=lambda child: (child.fitness, child.macs))
    assert (second[0].operators, second[0].macs) == (best.operators, best.macs)
    assert result.macs == second[0].macs
    assert search.operator_prior
    assert set(result.timings) == {"search_s", "retrain_s", "evaluate_s"}


def test_what_was_scored_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    of = study(rungs=2, networks=3)
    whole = run(of, tmp_path / "whole")
    folder = tmp_path / "resumed"
    folder.mkdir()
    for rung in ("rung-1.jsonl", "rung-2.jsonl"):
        (folder / rung).write_text((tmp_path / "whole" / rung).read_text())
    phases: list[str] = []
    SYSTEMS.get("halving").runner.run_cell(
        of, RunContext(folder, progress=lambda done, total, text: phases.append(text.partition(":")[0]))
    )
    assert set(phases) == {"retrain"}
    assert whole.macs


def test_range_that_shows_fewer_networks_is_halved_all_the_same(tmp_path: Path):
    of = study(rungs=1, networks=500)
    within = budget_range(of)
    shown = networks_near(within, 500, of.seed)
    assert 1 <= len(shown) < 500  # the tiny space has no more in [0.9, 1] of the budget
    quick = replace(of, recipe=of.recipe.model_copy(update={"epochs": 1}))
    result = record(quick, run(quick, tmp_path / "cell"))
    assert result.search is not None
    assert result.search.evaluations == len(shown)
