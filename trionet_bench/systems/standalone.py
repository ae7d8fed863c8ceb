"""Stand-alone networks: one operator everywhere, in the skeleton of the space, scaled to the budget.

Scaling (our choice; the paper compares with published networks of fixed size): start from a network that uses one level
of depth, width and expansion throughout; then raise depth, width and expansion of single stages, the last stage first,
while they still fit. The start is the dearest that fits and from which this comes near the budget. So every operator
spends nearly all of the same budget.
"""

from collections.abc import Callable
from itertools import product
from typing import Any, Literal, Self

from pydantic import model_validator

from trionet_bench.errors import UsageError, nearest
from trionet_bench.records.record import Strict
from trionet_bench.spaces.choice import Genes, Space
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.cell import Cell, Phase, Workplace

SPACE_KIND = ResNetSpace.kind


class Options(Strict):
    """What a suite may say of a stand-alone model; None leaves the usual value of the operator's paper, where the space
    has it.
    """

    operator: Literal["conv", "local", "axial"]
    kernel: int | None = None
    window: int | None = None
    heads: int | None = None
    qk: float | None = None
    v: float | None = None

    @model_validator(mode="after")
    def _of_the_operator(self) -> Self:
        for name, value in self:
            if value is not None and name not in ("operator", *USUAL[self.operator]):
                raise ValueError(f"{self.operator} networks have no {name}")
        return self


NEAR = 0.95  # of the budget

USUAL: dict[str, dict[str, Any]] = {
    "conv": {"kernel": 3},
    "local": {"window": 7, "heads": 8, "qk": 1.0, "v": 1.0},
    "axial": {"heads": 8, "qk": 0.5, "v": 1.0},
}


def phases(cell: Cell) -> tuple[Phase, ...]:
    """A stand-alone network shares nothing."""
    return ()


def run_cell(cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """Scale, train from scratch, test."""
    from trionet_bench.systems.retraining import Bench, drop_checkpoints, retrain_and_describe

    bench = Bench.open(cell, workplace)
    fields = retrain_and_describe(bench, resnet_space(cell).decode(_scaled(cell)))
    drop_checkpoints(workplace.folder)
    return fields


def check(cell: Cell) -> None:
    """UsageError where the budget or an option does not fit the space."""
    _scaled(cell)


def _scaled(cell: Cell) -> Genes:
    assert isinstance(cell.options, Options)
    return scale_to_budget(resnet_space(cell), cell.options, cost_in(cell), cell.budget)


def cost_in(cell: Cell, space: Space | None = None) -> Callable[[Genes], int]:
    """MACs of a child of the cell's space, or of another one, on the cell's images."""
    from trionet_bench.networks.skeletons import architecture_macs  # torch loads with the first cell, not with the plan

    own, index = space or cell.space, cell.data.index
    classes, channels = len(index.classes), index.channels
    return lambda genes: architecture_macs(own.decode(genes), classes, channels, cell.resolution)


def resnet_space(cell: Cell) -> ResNetSpace:
    """The cell's space; UsageError where it is of another kind."""
    if not isinstance(cell.space, ResNetSpace):
        raise UsageError(f'model "{cell.model}": system {cell.system} needs a resnet space, not {cell.space.name}.')
    return cell.space


def scale_to_budget(space: ResNetSpace, options: Options, cost: Callable[[Genes], int], budget: int) -> Genes:
    """The network of one operator that spends the budget; UsageError where even the smallest exceeds it."""
    if options.operator not in space.operators:
        raise UsageError(
            f'space {space.name} has no operator "{options.operator}"; {nearest(options.operator, space.operators)}'
        )
    fixed = space.operators_set_to(options.operator) | _details(space, options)
    levels = {
        i: len(c.values) for i, c in enumerate(space.choices) if c.group == "shape" or c.name.endswith("expansion")
    }

    def uniform(depth: int, width: int, expansion: int) -> Genes:
        level = {"depth": depth, "width": width, "stem_width": width, "expansion": expansion, "local_terms": 0}
        free = {i: min(level[space.choices[i].name.rpartition(".")[2]], count - 1) for i, count in levels.items()}
        return space.extreme(fixed | free, biggest=False)

    deepest = max(len(stage.depths) for stage in space.stages)
    widest = max(len(stage.widths) for stage in space.stages)
    candidates = [uniform(*level) for level in product(range(deepest), range(widest), range(len(space.expansions)))]
    fitting = {genes for genes in candidates if cost(genes) <= budget}
    if not fitting:
        raise UsageError(
            f"No {options.operator} network of {space.name} fits {budget / 1e6:.3g}M MACs: the smallest needs "
            f"{min(map(cost, candidates)) / 1e6:.3g}M. Raise the budget or choose another space."
        )
    dearest_first = sorted(fitting, key=lambda genes: (cost(genes), genes), reverse=True)
    raised = [_raised(space, genes, fixed, levels, cost, budget) for genes in dearest_first]
    return next((genes for genes in raised if cost(genes) >= NEAR * budget), max(raised, key=cost))


def _details(space: ResNetSpace, options: Options) -> dict[int, int]:
    """Gene positions of the operator's own options -> the option asked for, the usual one, or the largest below it."""
    fixed: dict[int, int] = {}
    for name, usual in USUAL[options.operator].items():
        values = getattr(space, {"kernel": "kernels", "window": "windows"}.get(name, name))
        asked = getattr(options, name)
        if asked is not None and asked not in values:
            raise UsageError(f"space {space.name} has no {name} {asked}; allowed are {', '.join(map(str, values))}.")
        value = asked if asked is not None else max([v for v in values if v <= usual], default=values[0])
        fixed |= {i: values.index(value) for i, c in enumerate(space.choices) if c.name.endswith(f".{name}")}
    return fixed


def _raised(
    space: ResNetSpace,
    genes: Genes,
    fixed: dict[int, int],
    levels: dict[int, int],
    cost: Callable[[Genes], int],
    budget: int,
) -> Genes:
    """Single steps up, last stage first, until none fits any more."""
    free = {position: genes[position] for position in levels}
    changed = True
    while changed:
        changed = False
        for position in sorted(levels, reverse=True):
            if space.choices[position].name == "local_terms" or free[position] + 1 >= levels[position]:
                continue
            raised = free | {position: free[position] + 1}
            taller = space.extreme(fixed | raised, biggest=False)
            if taller != genes and cost(taller) <= budget:
                free, genes, changed = raised, taller, True
    return genes
