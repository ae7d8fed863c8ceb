import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.tiny import TINY, all_networks

from trionet_bench.errors import UsageError
from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.records.layout import format_budget
from trionet_bench.search.budget import BudgetRange
from trionet_bench.search.evolution import (
    ENGINES,
    Ledger,
    SearchResult,
    evolve,
    legal_prior,
    random_search,
)
from trionet_bench.search.sampling import HierarchicalSampler, Sampler, UniformSampler
from trionet_bench.spaces.choice import Genes, Space
from trionet_bench.spaces.presets import RESNET_IMAGENET, RESNET_NANO
from trionet_bench.training.recipe_parts import SearchRecipe

BOTH = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
SETTINGS = SearchRecipe(
    population=12, parents=4, generations=5, crossover=4, mutation=5, probability=0.1, least_share=0.5
)


@cache
def macs(genes: Genes) -> int:
    return architecture_macs(TINY.decode(genes), 5, 2, 8)


NETWORKS = all_networks(TINY)
COSTS = sorted(map(macs, NETWORKS))
MEDIAN = COSTS[len(COSTS) // 2]


def genes_add_up(genes: Genes) -> int:
    """A cost that needs no network."""
    return sum(genes)


class Counting:
    """A fitness that knows what it was asked; ``fail_after`` evaluations it is interrupted."""

    def __init__(self, fitness: Callable[[Genes], float] = sum, fail_after: int | None = None) -> None:
        self.fitness, self.fail_after = fitness, fail_after
        self.asked: list[Genes] = []

    def __call__(self, genes: Genes) -> float:
        if len(self.asked) == self.fail_after:
            raise KeyboardInterrupt
        self.asked.append(genes)
        return self.fitness(genes)


def search(
    engine: Callable[..., SearchResult],
    fitness: Counting,
    space: Space = TINY,
    cost: Callable[[Genes], int] = macs,
    budget: int = MEDIAN,
    settings: SearchRecipe = SETTINGS,
    seed: int = 0,
    **options: object,
) -> SearchResult:
    within = BudgetRange.of_budget(space, cost, budget, settings.least_share)
    return engine(within, fitness, settings, HierarchicalSampler(space, seed).random, seed, **options)


@BOTH
def test_exactly_as_many_different_evaluations_as_asked(engine: Callable[..., SearchResult]):
    fitness = Counting()
    result = search(engine, fitness)
    assert len(fitness.asked) == len(set(fitness.asked)) == 12 * 5
    assert [genes for genes, _, _ in result.evaluated] == fitness.asked
    assert [(state.generation, state.evaluations) for state in result.generations] == [
        (g, 12 * (g + 1)) for g in range(5)
    ]
    for genes, cost, score in result.evaluated:
        assert genes == TINY.canonical(genes)
        assert (cost, score) == (macs(genes), sum(genes))
        assert MEDIAN / 2 <= cost <= MEDIAN


@BOTH
def test_generations_report_the_best_so_far(engine: Callable[..., SearchResult]):
    result = search(engine, Counting())
    for state in result.generations:
        scores = [(score, cost) for _, cost, score in result.evaluated[: state.evaluations]]
        assert (state.best_fitness, state.best_macs) == max(scores)
    assert sum(result.best) == result.generations[-1].best_fitness


@BOTH
@pytest.mark.parametrize("allowed", [1, 5, 40])
def test_nearly_exhausted_space_ends_the_search(engine: Callable[..., SearchResult], allowed: int):
    # The budget admits ``allowed`` networks or a few more of the same cost; 60 are wanted.
    budget = COSTS[allowed - 1]
    legal = {genes for genes in NETWORKS if macs(genes) <= budget}
    assert len(legal) < 60
    fitness = Counting()
    result = search(engine, fitness, budget=budget, settings=SETTINGS.model_copy(update={"least_share": 0.0}))
    assert set(fitness.asked) <= legal
    assert len(fitness.asked) == len(set(fitness.asked)) >= min(allowed, 5)
    assert len(result.generations) == 5
    assert result.best in legal


@BOTH
def test_draws_are_bounded_when_nothing_new_is_left(engine: Callable[..., SearchResult]):
    drawn = 0

    def draw(generator: np.random.Generator) -> Genes:
        nonlocal drawn
        drawn += 1
        return TINY.random(generator)

    engine(BudgetRange(TINY, macs, 0, COSTS[0]), sum, SETTINGS, draw, 0)
    # 10 tries for each of 12 places in 5 generations, each of at most 50 draws
    assert drawn <= 10 * 12 * 5 * 50


@BOTH
def test_one_network_that_fits_is_found(engine: Callable[..., SearchResult]):
    result = search(engine, Counting(), budget=COSTS[0])
    assert COSTS[0] < COSTS[1]
    assert [genes for genes, _, _ in result.evaluated] == [NETWORKS[int(np.argmin([*map(macs, NETWORKS)]))]]


@BOTH
def test_impossible_budget_is_refused_before_anything_is_scored(engine: Callable[..., SearchResult]):
    fitness = Counting()
    with pytest.raises(UsageError) as caught:
        search(engine, fitness, budget=10_000)
    assert str(caught.value) == (
        f"No architecture of tiny fits 10K MACs: the smallest needs {format_budget(COSTS[0])}. Raise the budget or "
        "choose another space."
    )
    assert not fitness.asked


def test_evolution_beats_random_search_where_good_genes_add_up():
    settings = SearchRecipe(population=30, parents=8, generations=20, crossover=12, mutation=12, probability=0.1)
    for seed in range(3):
        by_evolution, by_chance = (
            search(engine, Counting(), RESNET_IMAGENET, lambda genes: 1, 1, settings, seed)
            for engine in (evolve, random_search)
        )
        assert len(by_evolution.evaluated) == len(by_chance.evaluated) == 600
        chance = [score for _, _, score in by_chance.evaluated]
        # a deviation above the best of 600 random networks
        assert sum(by_evolution.best) > max(chance) + np.std(chance)


@BOTH
def test_search_is_repeatable(engine: Callable[..., SearchResult]):
    one, same, other = (search(engine, Counting(), seed=seed) for seed in (0, 0, 1))
    assert one == same
    assert one.evaluated != other.evaluated


@BOTH
def test_ties_go_to_the_dearer_network_then_to_the_smaller_genes(engine: Callable[..., SearchResult]):
    result = search(engine, Counting(lambda genes: 0.5))
    dearest = max(cost for _, cost, _ in result.evaluated)
    assert result.best == min(genes for genes, cost, _ in result.evaluated if cost == dearest)
    equal_cost = search(engine, Counting(lambda genes: 0.5), cost=lambda genes: 1)
    assert equal_cost.best == min(genes for genes, _, _ in equal_cost.evaluated)


def test_fitness_sees_genes_and_nothing_else():
    fitness = Counting()
    search(evolve, fitness)
    assert all(type(genes) is tuple and all(type(gene) is int for gene in genes) for genes in fitness.asked)


@BOTH
def test_acceptance_rate_is_the_share_of_draws_that_could_be_brought_within_the_budget(
    engine: Callable[..., SearchResult],
):
    assert search(engine, Counting(), budget=COSTS[-1]).acceptance_rate == 1.0
    # Where attention fits in no size, only networks of convolutions remain: 1 of 3 in each block.
    conv = {macs(genes) for genes in NETWORKS if set(TINY.operators_in(genes)) == {"conv"}}
    most = min(macs(genes) for genes in NETWORKS if "conv" not in TINY.operators_in(genes)) - 1
    assert min(conv) <= most
    if engine is random_search:
        settings = SearchRecipe(population=100, generations=1, least_share=0.0)
        assert 0 < search(engine, Counting(), budget=most, settings=settings).acceptance_rate < 1


@BOTH
def test_progress_counts_evaluations(engine: Callable[..., SearchResult]):
    seen: list[tuple[int, int, str]] = []
    search(engine, Counting(), progress=lambda *report: seen.append(report))
    assert [(done, total) for done, total, _ in seen] == [(number, 60) for number in range(1, 61)]
    assert seen[-1][2].startswith("best ")


@BOTH
@pytest.mark.parametrize("scored", [0, 1, 17, 59])
def test_interrupted_search_goes_on_where_it_was(engine: Callable[..., SearchResult], scored: int, tmp_path: Path):
    undisturbed = search(engine, Counting(), ledger=Ledger(tmp_path / "undisturbed.jsonl"))
    path = tmp_path / "evaluations.jsonl"
    with pytest.raises(KeyboardInterrupt):
        search(engine, first := Counting(fail_after=scored), ledger=Ledger(path))
    second = Counting()
    assert search(engine, second, ledger=Ledger(path)) == undisturbed
    assert len(first.asked) == scored
    assert first.asked + second.asked == [genes for genes, _, _ in undisturbed.evaluated]
    assert path.read_bytes() == (tmp_path / "undisturbed.jsonl").read_bytes()
    third = Counting()
    assert search(engine, third, ledger=Ledger(path)) == undisturbed
    assert not third.asked


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_line_torn_by_a_kill_is_scored_again(cut: int, tmp_path: Path):
    path, whole = tmp_path / "evaluations.jsonl", tmp_path / "whole.jsonl"
    undisturbed = search(evolve, Counting(), ledger=Ledger(whole))
    with pytest.raises(KeyboardInterrupt):
        search(evolve, Counting(fail_after=20), ledger=Ledger(path))
    path.write_bytes(path.read_bytes()[:-cut])
    fitness = Counting()
    assert search(evolve, fitness, ledger=Ledger(path)) == undisturbed
    assert len(fitness.asked) == 60 - 19
    assert path.read_text() == whole.read_text()
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 60


@pytest.mark.parametrize("kind", [HierarchicalSampler, UniformSampler])
def test_prior_is_that_of_the_drawn_operators_where_all_of_them_fit(kind: type[Sampler]):
    # Sizes are brought within the budget, operators are not: they keep the sampler's shares, whatever they cost.
    space = TINY.with_dimensions(expansions=[0.125, 0.25, 0.5, 1.0], stages=[
        {"depths": [1], "widths": [16, 32, 64], "stride": 1}, {"depths": [1], "widths": [16, 32, 64], "stride": 2}
    ])  # fmt: skip

    def cost(genes: Genes) -> int:
        return architecture_macs(space.decode(genes), 5, 2, 8)

    sampler = kind(space, 0)
    within = BudgetRange.of_budget(space, cost, 450_000, 0.9)
    rows = list(legal_prior(within, sampler.random, seed=0, samples=2000))
    assert [(stage, block, operator) for stage, block, operator, _ in rows] == [
        (stage, 0, operator) for stage in (0, 1) for operator in space.operators
    ]
    for stage, position in zip((0, 1), space.operator_positions, strict=True):
        shares = [share for at, _, _, share in rows if at == stage]
        assert sum(shares) == pytest.approx(1)
        assert shares == pytest.approx(sampler.operator_shares(position), abs=0.04)


def test_prior_is_the_same_each_time():
    draw = HierarchicalSampler(RESNET_NANO, 0).random
    within = BudgetRange(RESNET_NANO, genes_add_up, 0, 20)
    one, same = (list(legal_prior(within, draw, seed=0, samples=50)) for _ in range(2))
    assert one == same
