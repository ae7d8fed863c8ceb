"""What a study of its size can decide, as text and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from trionet_bench.analysis.planning import Foresight, foreseen, known_sd
from trionet_bench.jsontypes import JsonObject
from trionet_bench.suite.specification import Suite
from trionet_bench.units import counted

_ENOUGH = 5  # seeds, where one is too few


def resolution_lines(suite: Suite, folder: Path) -> Iterator[str]:
    """A few lines; none where nothing is to be compared.

    Args:
        folder: of results, earlier records in which say how noisy one run is.
    """
    comparisons = _comparisons(suite)
    if not comparisons:
        return
    size = f"{counted(len(suite.models), 'model')} on {counted(len(suite.datasets), 'data set')}"
    first, last = _at(suite, len(suite.seeds)), _at(suite, suite.seed_plan.most) if suite.seed_plan else None
    if first is None:
        then = _at(suite, _ENOUGH)
        assert then is not None
        yield (
            f"What it can decide: nothing. One seed shows no error to compare a difference with; --seeds {_ENOUGH} "
            f"would know a difference to ± {then.half_width:.2g} sd of one run."
        )
        return
    yield f"What it can decide: {size}, {_shown(first)}, Holm over {counted(comparisons, 'comparison')}."
    if suite.seed_plan and last is not None:
        counts = ", ".join(map(str, suite.seed_plan.looks))
        yield f"Seeds are added at looks of {counts} until all is decided; at the last: {_shown(last)}."
    for budget in suite.budgets:
        if (known := known_sd(folder, budget)) is not None:
            sd, unit = known
            last = last or first
            yield (
                f"One sd is {sd:.2g} {unit} in the records that are there: ± {sd * last.half_width:.2g} and "
                f"{sd * last.detectable:.2g} {unit} with {counted(last.seeds, 'seed')}; test images add to it."
            )


def resolution_json(suite: Suite) -> JsonObject:
    """The same in sd of one run; null where nothing can be decided."""
    at = _at(suite, len(suite.seeds))
    most = _at(suite, suite.seed_plan.most) if suite.seed_plan else None
    return {"resolution": asdict(at) if at else None, **({"resolution_at_most": asdict(most)} if most else {})}


def _comparisons(suite: Suite) -> int:
    return len(suite.budgets) * sum(len(comparison.candidates) for comparison in suite.comparisons)


def _at(suite: Suite, seeds: int) -> Foresight | None:
    plan = suite.seed_plan
    level = {"level": plan.level(seeds)} if plan else {}
    return foreseen(seeds, len(suite.models), len(suite.datasets), _comparisons(suite), **level)


def _shown(at: Foresight) -> str:
    return (
        f"{counted(at.seeds, 'seed')}: a difference is known to ± {at.half_width:.2g} sd of one run, "
        f"one of {at.detectable:.2g} sd is found with 80 % chance"
    )
