"""Search for the best child under a MAC budget: evolution, and random search with as many evaluations.

The engine sees genes, a cost and a fitness; images, supernet and test set are out of its reach. Settings follow Single
Path One-Shot NAS (Guo et al. 2020): the best ever are parents, a generation is crossover, mutation and fresh random
children. Ties go to the network of more MACs, then to the smaller genes, so that a search is repeatable (our choice).
"""

import json
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from trionet_bench.errors import StoreError, TrainingError
from trionet_bench.files import write_atomically
from trionet_bench.randomness import derived_generator
from trionet_bench.search.budget import BudgetRange
from trionet_bench.spaces.choice import Genes
from trionet_bench.training.recipe_parts import SearchRecipe

_log = logging.getLogger(__name__)

Fitness = Callable[[Genes], float]
Draw = Callable[[np.random.Generator], Genes]
Progress = Callable[[int, int, str], None]

TRIES = 10  # draws of one child within the range


@dataclass(frozen=True)
class GenerationState:
    """After a generation: evaluations so far, and the best child so far with its cost."""

    generation: int
    evaluations: int
    best_fitness: float
    best_macs: int


@dataclass(frozen=True)
class SearchResult:
    """Result of a search. ``evaluated`` is every scored child in order: genes, MACs, fitness."""

    best: Genes
    evaluated: tuple[tuple[Genes, int, float], ...]
    generations: tuple[GenerationState, ...]
    acceptance_rate: float


class Ledger:
    """Fitness of every child scored so far, kept in a file, so that an interrupted search continues where it was.

    A search is a function of its seed and of the scores: run again with the same ledger, it takes the same steps
    without scoring again.

    Args:
        path: of the file; None keeps scores in memory only.
        writes: whether this process writes; of several that run the same search, only one does.
    """

    def __init__(self, path: Path | None = None, writes: bool = True) -> None:
        self.path, self.writes = path, writes and path is not None
        self.scores: dict[Genes, float] = {}
        if path is not None and path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):  # a line cut short by a kill is scored again
                    self._read(line)

    def _read(self, line: bytes) -> None:
        """Takes a score from the file; a line that holds none is scored again, with a warning."""
        try:
            entry = json.loads(line)
            genes, fitness = tuple(map(int, entry["genes"])), float(entry["fitness"])
        except (ValueError, KeyError, TypeError, RecursionError):
            _log.warning("%s has a damaged line; what it held is computed again", self.path)
            return
        self.scores[genes] = fitness

    def score(self, genes: Genes, fitness: Fitness) -> float:
        """The known score, or a new one. TrainingError where the new one is not a finite number, StoreError where the
        file cannot be written.
        """
        if genes not in self.scores:
            score = fitness(genes)
            if not math.isfinite(score):
                raise TrainingError(f"the score of a child became {score}; its genes are {list(genes)}.")
            self.scores[genes] = score
            if self.writes:
                assert self.path is not None
                try:
                    self._rewrite_if_torn()
                    with self.path.open("a") as file:
                        file.write(json.dumps({"genes": list(genes), "fitness": score}) + "\n")
                except OSError as error:
                    raise StoreError(f"{self.path} could not be written: {error.strerror or error}.") from error
        return self.scores[genes]

    def _rewrite_if_torn(self) -> None:
        assert self.path is not None
        if self.path.exists():
            content = self.path.read_bytes()
            if content and not content.endswith(b"\n"):
                write_atomically(self.path, content[: content.rfind(b"\n") + 1])


@dataclass
class _Search:
    """Draws children within the range that were not scored before, scores them, and remembers."""

    within: BudgetRange
    fitness: Fitness
    draw: Draw
    seed: int
    ledger: Ledger = field(default_factory=Ledger)
    wanted: int = 0
    progress: Progress | None = None
    evaluated: dict[Genes, tuple[int, float]] = field(default_factory=dict)
    hopeless: set[tuple[int, ...]] = field(default_factory=set)
    drawn: int = 0
    legal: int = 0

    def __post_init__(self) -> None:
        self.generator = derived_generator(self.seed, "search")

    def try_child(self, genes: Genes | None) -> bool:
        """Score a child if it is new; None stands for one that could not be brought into the range."""
        if genes is None or genes in self.evaluated:
            return False
        self.evaluated[genes] = (self.within.cost(genes), self.ledger.score(genes, self.fitness))
        if self.progress is not None:
            best = max(fitness for _, fitness in self.evaluated.values())
            self.progress(len(self.evaluated), self.wanted, f"best {best:.3f}")
        return True

    def fitted(self, genes: Genes) -> Genes | None:
        """The child brought into the range; operators that failed to fit are not tried again."""
        self.drawn += 1
        operators = tuple(genes[position] for _, _, position in self.within.space.blocks(genes))
        fitted = None if operators in self.hopeless else self.within.fitted(genes, self.generator)
        if fitted is None:
            self.hopeless.add(operators)
        else:
            self.legal += 1
        return fitted

    def random_child(self) -> Genes:
        """A random child within the range; the largest of one operator where many draws lead to none."""
        for _ in range(TRIES):
            genes = self.fitted(self.draw(self.generator))
            if genes is not None:
                return genes
        return self.within.largest

    def fill(self, make: Callable[[], Genes | None], wanted: int, tries: int) -> int:
        """Score up to ``wanted`` new children within ``tries``; returns how many there were."""
        scored = 0
        for _ in range(tries):
            if scored == wanted:
                break
            scored += self.try_child(make())
        return scored

    def ranked(self) -> list[Genes]:
        """Best first."""
        return sorted(self.evaluated, key=lambda g: (-self.evaluated[g][1], -self.evaluated[g][0], g))

    def state(self, generation: int) -> GenerationState:
        macs, fitness = self.evaluated[self.ranked()[0]]
        return GenerationState(generation, len(self.evaluated), fitness, macs)

    def result(self, generations: list[GenerationState]) -> SearchResult:
        evaluated = tuple((genes, macs, fitness) for genes, (macs, fitness) in self.evaluated.items())
        return SearchResult(self.ranked()[0], evaluated, tuple(generations), self.legal / max(self.drawn, 1))


def evolve(
    within: BudgetRange,
    fitness: Fitness,
    settings: SearchRecipe,
    draw: Draw,
    seed: int,
    ledger: Ledger | None = None,
    progress: Progress | None = None,
) -> SearchResult:
    """Evolution over ``settings.generations`` generations of ``settings.population`` new children each.

    No child is scored twice; a generation may be short when the range holds no more. Children are brought into the
    range, see ``search.budget``.
    """
    wanted = settings.generations * settings.population
    search = _Search(within, fitness, draw, seed, ledger or Ledger(), wanted, progress)
    return _generations(search, settings, breeds=True)


def random_search(
    within: BudgetRange,
    fitness: Fitness,
    settings: SearchRecipe,
    draw: Draw,
    seed: int,
    ledger: Ledger | None = None,
    progress: Progress | None = None,
) -> SearchResult:
    """As many evaluations as ``evolve`` with the same settings, all of them random children."""
    wanted = settings.generations * settings.population
    search = _Search(within, fitness, draw, seed, ledger or Ledger(), wanted, progress)
    return _generations(search, settings, breeds=False)


def _generations(search: _Search, settings: SearchRecipe, breeds: bool) -> SearchResult:
    states: list[GenerationState] = []
    for generation in range(settings.generations):
        parents = search.ranked()[: settings.parents] if breeds else []
        born = 0
        if parents:
            mutant = partial(_mutant, search, parents, settings.probability)
            born += search.fill(mutant, settings.mutation, 10 * settings.mutation)
            born += search.fill(partial(_cross, search, parents), settings.crossover, 10 * settings.crossover)
        search.fill(search.random_child, settings.population - born, 10 * settings.population)
        states.append(search.state(generation))
    return search.result(states)


def legal_prior(
    within: BudgetRange, draw: Draw, seed: int, samples: int = 500
) -> Iterator[tuple[int, int, str, float]]:
    """What a search would place where by chance: (stage, block, operator, mean share) over random children within the
    range that have the block.
    """
    search, space = _Search(within, lambda genes: 0.0, draw, seed), within.space
    sums: dict[tuple[int, int], dict[str, float]] = {}
    for _ in range(samples):
        genes = search.random_child()
        for stage, block, position in space.blocks(genes):
            at_block = sums.setdefault((stage, block), dict.fromkeys(space.operators, 0.0))
            for operator, share in space.parts(space.operator_options(position)[genes[position]]).items():
                at_block[operator] += share
    for (stage, block), operators in sorted(sums.items()):
        for operator, total in operators.items():
            yield stage, block, operator, total / sum(operators.values())


def _mutant(search: _Search, parents: list[Genes], probability: float) -> Genes | None:
    parent = parents[search.generator.integers(len(parents))]
    return search.fitted(search.within.space.mutate(parent, probability, search.generator))


def _cross(search: _Search, parents: list[Genes]) -> Genes | None:
    first, second = search.generator.integers(len(parents), size=2)
    return search.fitted(search.within.space.crossover(parents[first], parents[second], search.generator))


ENGINES: dict[str, Callable[..., SearchResult]] = {"evolution": evolve, "random": random_search}
