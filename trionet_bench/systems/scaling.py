"""Networks of one operator, or of one for each stage, that spend a budget.

The rule is our choice; the paper compares with published networks of fixed size. Networks with one level of depth,
width and expansion throughout are where it starts. In each of them depth, width and expansion of single stages are
raised, the last stage first, while the network still fits. The result is the network that the shallowest start leads
to, of equally deep ones the most expensive, among those that end near the budget: at a few M MACs width teaches more
than depth (docs/method.md, "Skeleton"). So every operator spends nearly all of the same budget.
"""

from collections.abc import Mapping, Sequence
from itertools import product

from trionet_bench.errors import UsageError, nearest
from trionet_bench.search.budget import nothing_fits
from trionet_bench.spaces.choice import Cost, Genes
from trionet_bench.spaces.operators import OPERATORS
from trionet_bench.spaces.resnet import ResNetSpace

NEAR = 0.95  # of the budget
TERMS = 1  # position of the gene of the local terms


def scale_to_budget(
    space: ResNetSpace,
    operators: Sequence[str],
    options: Mapping[str, float],
    cost: Cost,
    budget: int,
    local_terms: str | None = None,
) -> Genes:
    """Genes of a network whose operators are given by hand.

    Args:
        space: holds the operators.
        operators: the name of one for all blocks, or of one for each stage.
        options: values asked for, by name; others have the operator's usual value, or the largest below in the space.
        cost: MACs of a network.
        budget: in MACs.
        local_terms: of local attention; None for the first of the space.

    UsageError where even the smallest network exceeds the budget, the space lacks an operator or a value, or there are
    neither one nor as many operators as stages.
    """
    if len(operators) not in (1, len(space.stages)):
        raise UsageError(
            f"space {space.name} has {len(space.stages)} stages, but {len(operators)} operators are given: "
            f"{', '.join(operators)}. Give one for all, or one for each stage."
        )
    by_stage = [*operators] * (len(space.stages) if len(operators) == 1 else 1)
    for operator in by_stage:
        if operator not in space.operators:
            raise UsageError(f'space {space.name} has no operator "{operator}"; {nearest(operator, space.operators)}')
    terms = space.local_terms[0] if local_terms is None else local_terms
    fixed = {TERMS: space.option(TERMS, terms)}
    for position in space.operator_positions:
        stage = space.choices[position].stage
        assert stage is not None
        fixed[position] = space.operators.index(by_stage[stage])
    for stage, operator in enumerate(by_stage):
        fixed |= _details(space, stage, operator, options)
    levels = {
        position: len(choice.values)
        for position, choice in enumerate(space.choices)
        if (choice.group == "shape" or choice.field == "expansion") and position != TERMS
    }

    def uniform(depth: int, width: int, expansion: int) -> Genes:
        level = {"depth": depth, "width": width, "stem_width": width, "expansion": expansion}
        free = {at: min(level[space.choices[at].field], count - 1) for at, count in levels.items()}
        return space.extreme(fixed | free, biggest=False)

    deepest = max(len(stage.depths) for stage in space.stages)
    widest = max(len(stage.widths) for stage in space.stages)
    levels_of = product(range(deepest), range(widest), range(len(space.expansions)))
    depths: dict[Genes, int] = {}
    for depth, width, expansion in levels_of:  # where two depths give the same network, the smaller one counts
        depths.setdefault(uniform(depth, width, expansion), depth)
    fitting = [genes for genes in depths if cost(genes) <= budget]
    if not fitting:
        raise nothing_fits(f"{'-'.join(operators)} network of {space.name}", budget, min(map(cost, depths)))
    starts = sorted(fitting, key=lambda genes: (-depths[genes], cost(genes), genes), reverse=True)
    raised = [_raised(space, genes, fixed, levels, cost, budget) for genes in starts]
    return next((genes for genes in raised if cost(genes) >= NEAR * budget), max(raised, key=cost))


def _details(space: ResNetSpace, stage: int, operator: str, options: Mapping[str, float]) -> dict[int, int]:
    """The genes of the operator's options in a stage: position -> index of the value asked for, or of the usual one."""
    fixed: dict[int, int] = {}
    for option, usual in OPERATORS.get(operator).options.items():
        values, asked = space.dimensions[option.dimension], options.get(option.name)
        if asked is not None and asked not in values:
            allowed = ", ".join(map(str, values))
            raise UsageError(f"space {space.name} has no {option.name} {asked}; allowed are {allowed}.")
        value = asked if asked is not None else max([v for v in values if v <= usual], default=values[0])
        index = values.index(value)
        fixed |= {at: index for at, c in enumerate(space.choices) if (c.stage, c.field) == (stage, option.name)}
    return fixed


def _raised(
    space: ResNetSpace, genes: Genes, fixed: Mapping[int, int], levels: Mapping[int, int], cost: Cost, budget: int
) -> Genes:
    """Single steps up, last stage first, until none fits any more."""
    free = {position: genes[position] for position in levels}
    changed = True
    while changed:
        changed = False
        for position in sorted(levels, reverse=True):
            if free[position] + 1 >= levels[position]:
                continue
            raised = free | {position: free[position] + 1}
            taller = space.extreme({**fixed, **raised}, biggest=False)
            if taller != genes and cost(taller) <= budget:
                free, genes, changed = raised, taller, True
    return genes
