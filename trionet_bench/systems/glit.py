"""GLiT: a transformer whose blocks divide their channels between global attention and the locality module, found by a
hierarchical search.

Chen et al. 2021 (arXiv 2107.02960). The first level finds how many channels of each block attend: its supernet is
searched, the best few distributions are trained alone and compared on the search-validation images. The second level
finds the details under the winner. Both supernets train one path a step, drawn uniformly, and every candidate of a
block has weights of its own. Known: the levels, five retrained distributions, 1000 children scored under a limit on
FLOPs. Ours: that each level scores as many children, and trains as many epochs, as the recipe says; that true MACs are
limited; that batch norm keeps its affine weights in the supernet; and the width, the largest of the space whose plain
transformer fits the budget. The found network is then treated as a TrioNet's.
"""

import time
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from trionet_bench.errors import UsageError
from trionet_bench.records.values import Strict
from trionet_bench.spaces.glit import GLiTSpace
from trionet_bench.systems.cell import Cell, Phase, Workplace, option_fields, space_fields
from trionet_bench.systems.standalone import cost_in
from trionet_bench.systems.work import (
    Work,
    candidates,
    evaluation,
    final_network,
    search_work,
    supernet_work,
    training,
)
from trionet_bench.training.recipe import Recipe, SearchRecipe

if TYPE_CHECKING:
    from trionet_bench.networks.elastic import Naming
    from trionet_bench.systems.retraining import Bench
    from trionet_bench.systems.search_phase import Found

SPACE_KIND = GLiTSpace.kind
FIRST, CHOICE, SECOND, JOINT = "distribution-supernet", "distribution", "detail-supernet", "joint-supernet"


class Options(Strict):
    """What a suite may say of a GLiT model. The defaults are the paper's method; the rest are its comparisons.

    Args:
        levels: ``two``; ``one`` supernet and one search over distributions and details together, with the steps and
            evaluations of both levels; or ``none``: the plain transformer, without a search.
        search: ``random`` scores as many children, all of them drawn blindly.
        sharing: ``independent`` weights for each candidate of a block, or ``slices`` of common ones.
        retrain: distributions that are trained alone before one is taken.
    """

    levels: Literal["two", "one", "none"] = "two"
    search: Literal["evolution", "random"] = "evolution"
    sharing: Literal["independent", "slices"] = "independent"
    retrain: int = Field(default=5, ge=1)


def phases(cell: Cell) -> tuple[Phase, ...]:
    """Both supernets, and between them the choice of a distribution. With one width, budgets share the first."""
    options, recipe = _options(cell), cell.recipe
    if options.levels == "none":
        return ()
    common = {
        "space": space_fields(cell.space),
        "data": cell.data.key_fields(),
        "resolution": cell.resolution,
        "seed": cell.seed,
        "sharing": options.sharing,
        **({"budget": cell.budget} if len(_space(cell).widths) > 1 else {}),
    }
    training = {
        "recipe": recipe.key_fields(without=("search", "epochs", "finetune_epochs", "finetune_lr_scale")),
        "calibration": [recipe.search.calibration_images, recipe.search.calibration_batch],
    }
    if options.levels == "one":
        return (Phase(JOINT, common | training),)
    first = Phase(FIRST, common | training)
    whole = recipe.key_fields(without=("finetune_epochs", "finetune_lr_scale"))
    choosing = {"recipe": whole, "budget": cell.budget, "options": option_fields(options), "supernet": first.key}
    choice = Phase(CHOICE, common | choosing)
    return (first, choice, Phase(SECOND, common | training | {"distribution": choice.key}))


def check(cell: Cell) -> None:
    """UsageError where the space is of another kind, or no network of it fits the budget."""
    _at_width(cell)


def work(cell: Cell) -> list[Work]:
    """The last search and the training of what it finds."""
    levels = _options(cell).levels
    if levels == "none":
        return final_network(cell)
    extra = [candidates(cell, cell.recipe.search.generations)] if levels == "one" else []
    return [*extra, *search_work(cell), *final_network(cell)]


def phase_work(phase: Phase, cell: Cell) -> list[Work]:
    """A supernet's steps and probes, or the choice of the distribution: its search, then the best few alone. Which
    distribution comes out is not known, so the second supernet counts as one over both levels.
    """
    if phase.name == CHOICE:
        one = training(cell, cell.recipe, cell.budget, "select", parts=("train",))
        compared = evaluation(cell, cell.budget, "search_val")
        return [candidates(cell, cell.recipe.search.generations), *_options(cell).retrain * [one, compared]]
    space = _at_width(cell)
    sampler = _sampler(cell, space.first_level() if phase.name == FIRST else space)
    return supernet_work(cell, _supernet_recipe(cell), sampler, _naming(cell))


def run_phase(phase: Phase, cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """Train one of the supernets, or choose the distribution."""
    from trionet_bench.systems.retraining import Bench
    from trionet_bench.systems.search_phase import train_phase

    bench = Bench.open(cell, workplace)
    space = _at_width(cell)
    if phase.name == CHOICE:
        return _choose_distribution(bench, space.first_level())
    if phase.name == FIRST:
        space = space.first_level()
    elif phase.name == SECOND:
        space = space.second_level(_distribution(workplace))
    return train_phase(bench, _supernet(bench, space), _sampler(cell, space), _supernet_recipe(cell))


def run_search(cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """The last search alone: leaves its scores for ``run_cell``, returns what it found."""
    from trionet_bench.systems.retraining import Bench

    found, fields = _last_search(Bench.open(cell, workplace))
    return {"architecture": found.architecture.to_dict(), "search": fields}


def run_cell(cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """The last search, then training of what it found, from scratch and from its inherited weights."""
    from trionet_bench.systems.retraining import Bench, drop_checkpoints, retrain_and_describe
    from trionet_bench.systems.search_phase import add_inherited

    bench = Bench.open(cell, workplace)
    if _options(cell).levels == "none":
        space = _at_width(cell)
        fields = retrain_and_describe(bench, space.plain_transformer(space.widths[0]))
    else:
        began = time.monotonic()
        found, search = _last_search(bench)
        searched = time.monotonic() - began
        fields = retrain_and_describe(bench, found.architecture)
        add_inherited(bench, found, fields)
        for phase in map(workplace.finished, workplace.inputs):
            for name in ("supernet_s", "search_s", "select_s"):
                fields["timings"][name] = fields["timings"].get(name, 0.0) + phase.timings.get(name, 0.0)
        fields["timings"]["search_s"] += searched
        fields["search"] = search
    drop_checkpoints(workplace.folder)
    return fields


def _choose_distribution(bench: "Bench", space: GLiTSpace) -> dict[str, Any]:
    """Search the first level, train its best alone, and take the most accurate; ties go to the better in the search."""
    from trionet_bench.networks.layers import initialise
    from trionet_bench.systems.retraining import drop_checkpoints

    cell = bench.cell
    began = time.monotonic()
    found, fields = _search(bench, space, FIRST, cell.recipe.search)
    searched = time.monotonic()
    retrained, accuracies = [], []
    for number, (genes, macs, fitness) in enumerate(found.ranked[: _options(cell).retrain], start=1):
        network = initialise(bench.build(space.decode(genes)), cell.seed)
        bench.train(network, cell.recipe, f"distribution {number}", parts=("train",))
        accuracies.append(bench.evaluate(network, "search_val").top1)
        known = {"macs": macs, "fitness": fitness, "operators": space.codes(genes)}
        retrained.append({**known, "search_val_top1": accuracies[-1]})
    best = found.ranked[accuracies.index(max(accuracies))][0]
    drop_checkpoints(bench.workplace.folder)
    return {
        "distribution": [block.attending for block in space.decode(best).blocks],
        "search": {**fields, "retrained": retrained},
        "timings": {"search_s": searched - began, "select_s": time.monotonic() - searched},
    }


def _last_search(bench: "Bench") -> tuple["Found", dict[str, Any]]:
    """The search that finds the network of the cell; the record's ``search`` has all levels."""
    from trionet_bench.systems.search_phase import neutral

    cell, workplace = bench.cell, bench.workplace
    options, settings, space = _options(cell), cell.recipe.search, _at_width(cell)
    known = {"algorithm": options.search, "sampler": "single-path", "sharing": options.sharing}
    if options.levels == "one":
        both = settings.model_copy(update={"generations": 2 * settings.generations})
        found, fields = _search(bench, space, JOINT, both)
        return found, {**known, **fields}
    found, fields = _search(bench, space.second_level(_distribution(workplace)), SECOND, settings)
    first = workplace.finished(CHOICE).facts["search"]
    first["retrained"] = [neutral(row, search_val_top1="fitness_alone") for row in first["retrained"]]
    return found, {**known, **_both_levels(first, fields)}


def _search(bench: "Bench", space: GLiTSpace, supernet: str, settings: SearchRecipe) -> tuple["Found", dict[str, Any]]:
    """One search in the supernet that a phase left, and what a record says of it."""
    from trionet_bench.systems.search_phase import search, search_fields, trained

    cell = bench.cell
    sampler, cost = _sampler(cell, space), cost_in(cell, space)
    scorer = trained(bench, _supernet(bench, space), supernet)
    found = search(bench, scorer, sampler, cost, _options(cell).search, settings)
    return found, search_fields(bench, found, sampler, cost, supernet)


def _both_levels(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """One account of two searches. Placement was decided in the first, so prior and draws are its own."""
    evaluations = first["evaluations"] + second["evaluations"]
    drawn = sum(level["evaluations"] / max(level["acceptance_rate"], 1e-9) for level in (first, second))
    later = [
        {**state, "level": 2, "evaluations": first["evaluations"] + state["evaluations"]}
        for state in second["best_by_generation"]
    ]
    return {
        **first,
        "evaluations": evaluations,
        "acceptance_rate": evaluations / drawn,
        "best_by_generation": [*first["best_by_generation"], *later],
        "evaluated": [*first["evaluated"], *({**child, "level": 2} for child in second["evaluated"])],
        "probes": [*first["probes"], *({**point, "level": 2} for point in second["probes"])],
    }


def _options(cell: Cell) -> Options:
    assert isinstance(cell.options, Options)
    return cell.options


def _space(cell: Cell) -> GLiTSpace:
    """The cell's space, of all its widths; UsageError where it is of another kind."""
    if not isinstance(cell.space, GLiTSpace):
        raise UsageError(f'model "{cell.model}": system {cell.system} needs a glit space, not {cell.space.name}.')
    return cell.space


def _at_width(cell: Cell) -> GLiTSpace:
    """The space at the largest width whose plain transformer fits the budget, else at its smallest; UsageError where
    nothing fits at all.
    """
    from trionet_bench.networks.skeletons import architecture_macs
    from trionet_bench.search.evolution import check_budget

    space, index = _space(cell), cell.data.index
    fitting = [
        width
        for width in space.widths
        if architecture_macs(space.plain_transformer(width), len(index.classes), index.channels, cell.resolution)
        <= cell.budget
    ]
    chosen = space.at_width(max(fitting, default=space.widths[0]))
    check_budget(chosen, cost_in(cell, chosen), cell.budget)
    return chosen


def _distribution(workplace: Workplace) -> list[int]:
    found: list[int] = workplace.finished(CHOICE).facts["distribution"]
    return found


def _supernet_recipe(cell: Cell) -> Recipe:
    """The recipe; over both levels at once the supernet trains as long as two do."""
    if _options(cell).levels == "two":
        return cell.recipe
    supernet = cell.recipe.supernet
    return cell.recipe.model_copy(update={"supernet": supernet.model_copy(update={"epochs": 2 * supernet.epochs})})


def _sampler(cell: Cell, space: GLiTSpace) -> Any:
    from trionet_bench.search.sampling import SinglePathSampler

    return SinglePathSampler(space, cell.seed)


def _supernet(bench: "Bench", space: GLiTSpace) -> Any:
    from trionet_bench.networks.elastic import Supernet
    from trionet_bench.networks.sharing import MultiHeadSharing

    return Supernet(space, bench.build, MultiHeadSharing(), bench.cell.seed, _naming(bench.cell))


def _naming(cell: Cell) -> "Naming":
    from trionet_bench.networks.elastic import equal_names
    from trionet_bench.networks.vit import names_by_candidate

    return names_by_candidate if _options(cell).sharing == "independent" else equal_names
