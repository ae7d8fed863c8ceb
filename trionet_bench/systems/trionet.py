"""TrioNet: a supernet over convolution, local and axial attention, a search under the budget, and retraining of what it
finds.

Pi et al. 2021 (arXiv 2111.07547). One supernet serves every budget, and every way to search it. The found network is
trained from scratch like any stand-alone one (``test_top1``), and scored with the supernet's weights, recalibrated
(``inherited_*``) and trained on (``finetuned_test_top1``); which of these the paper reports is not known.
"""

import time
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from trionet_bench.records.values import Strict
from trionet_bench.systems.cell import Cell, Phase, Workplace, option_fields, space_fields
from trionet_bench.systems.standalone import cost_in, resnet_space
from trionet_bench.systems.work import Work, final_network, search_work, supernet_work
from trionet_bench.training.recipe import Recipe

if TYPE_CHECKING:
    from trionet_bench.networks.elastic import Naming
    from trionet_bench.search.calibration import ChildScorer
    from trionet_bench.systems.retraining import Bench
    from trionet_bench.systems.search_phase import Found


SUPERNET = "supernet"  # the phase


class SupernetOptions(Strict):
    """What a suite may say of a supernet. The defaults are the paper's method; the rest are ablation arms.

    ``pointwise`` says whether the three operators of a block share its two 1x1 convolutions (with their
    normalisations) in the supernet. Subsets of the operators are subsets of the space: ``space: {operators: [...]}``.
    """

    LATER: ClassVar = ("pointwise",)

    sampler: Literal["hierarchical", "uniform"] = "hierarchical"
    operator_level: Literal["block", "stage", "network"] = "block"
    sandwich: bool = True
    distillation: bool | None = None  # None: as the recipe says
    sharing: Literal["multi-head", "prefix"] = "multi-head"
    pointwise: Literal["shared", "separate"] = "shared"


class Options(SupernetOptions):
    """What a suite may say of a TrioNet model: its supernet, and how that is searched."""

    search: Literal["evolution", "random"] = "evolution"


def phases(cell: Cell) -> tuple[Phase, ...]:
    """One supernet, whatever the budget and the way to search."""
    return (supernet_phase(cell),)


def supernet_phase(cell: Cell) -> Phase:
    """The training of the supernet that the cell's options describe, whatever it is used for."""
    recipe, options = _recipe(cell), _options(cell)
    other = {name for name in type(options).model_fields if name not in SupernetOptions.model_fields}
    spec = {
        "space": space_fields(cell.space),
        "recipe": recipe.key_fields(without=("search", "epochs", "finetune_epochs", "finetune_lr_scale")),
        "calibration": [recipe.search.calibration_images, recipe.search.calibration_batch],
        "options": option_fields(options, without={"distillation", *other}),
        "data": cell.data.key_fields(),
        "resolution": cell.resolution,
        "seed": cell.seed,
    }
    return Phase(SUPERNET, spec)


def check(cell: Cell) -> None:
    """UsageError where no network of the space fits the budget."""
    from trionet_bench.search.evolution import check_budget

    check_budget(resnet_space(cell), cost_in(cell), cell.budget)


def work(cell: Cell) -> list[Work]:
    """The search and the training of what it finds."""
    return [*search_work(cell), *final_network(cell)]


def phase_work(phase: Phase, cell: Cell) -> list[Work]:
    """The supernet's steps and its probes."""
    return supernet_work(cell, _recipe(cell), make_sampler(cell), _naming(cell))


def run_phase(phase: Phase, cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """Train the supernet; leaves its weights and ``history.jsonl``."""
    from trionet_bench.systems.retraining import Bench
    from trionet_bench.systems.search_phase import train_phase

    bench = Bench.open(cell, workplace)
    return train_phase(bench, _supernet(bench), make_sampler(cell), _recipe(cell))


def run_search(cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """The search alone: scores its children, leaves them in ``evaluations.jsonl`` for ``run_cell``, returns what it
    found.
    """
    from trionet_bench.systems.retraining import Bench

    found, fields = _search(Bench.open(cell, workplace))
    return {"architecture": found.architecture.to_dict(), "search": fields}


def run_cell(cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """Search in the trained supernet, then train the found network from scratch and from its inherited weights."""
    from trionet_bench.systems.retraining import Bench, drop_checkpoints, retrain_and_describe
    from trionet_bench.systems.search_phase import add_inherited

    bench = Bench.open(cell, workplace)
    began = time.monotonic()
    found, search = _search(bench)
    searched = time.monotonic() - began
    fields = retrain_and_describe(bench, found.architecture)
    add_inherited(bench, found, fields)
    fields["timings"] |= {"search_s": searched, "supernet_s": workplace.finished(SUPERNET).timings["supernet_s"]}
    fields["search"] = search
    drop_checkpoints(workplace.folder)
    return fields


def _search(bench: "Bench") -> tuple["Found", dict[str, Any]]:
    """Search under the cell's budget; with the record's ``search``."""
    from trionet_bench.systems.search_phase import search, search_fields

    cell, options = bench.cell, bench.cell.options
    assert isinstance(options, Options)
    sampler, cost = make_sampler(cell), cost_in(cell)
    found = search(bench, open_supernet(bench), sampler, cost, options.search, cell.recipe.search)
    return found, {
        "algorithm": options.search,
        "sampler": options.sampler,
        "sharing": options.sharing,
        **search_fields(bench, found, sampler, cost, SUPERNET),
    }


def open_supernet(bench: "Bench") -> "ChildScorer":
    """The trained supernet among the cell's inputs, as the scorer of its children."""
    from trionet_bench.systems.search_phase import trained

    return trained(bench, _supernet(bench), SUPERNET)


def _options(cell: Cell) -> SupernetOptions:
    assert isinstance(cell.options, SupernetOptions)
    return cell.options


def _recipe(cell: Cell) -> Recipe:
    """The recipe with the model's own word on distillation."""
    distillation = _options(cell).distillation
    if distillation is None:
        return cell.recipe
    supernet = cell.recipe.supernet.model_copy(update={"distillation": distillation})
    return cell.recipe.model_copy(update={"supernet": supernet})


def make_sampler(cell: Cell) -> Any:
    """The ``Sampler`` that the cell's options describe."""
    from trionet_bench.search.sampling import HierarchicalSampler, UniformSampler

    options, children = _options(cell), cell.recipe.supernet.random_children
    if options.sampler == "uniform":
        return UniformSampler(cell.space, cell.seed, children, options.sandwich)
    return HierarchicalSampler(cell.space, cell.seed, children, options.sandwich, options.operator_level)


def _supernet(bench: "Bench") -> Any:
    from trionet_bench.networks.elastic import Supernet
    from trionet_bench.networks.sharing import SHARINGS

    cell = bench.cell
    sharing = SHARINGS[_options(cell).sharing]()
    return Supernet(resnet_space(cell), bench.build, sharing, cell.seed, _naming(cell))


def _naming(cell: Cell) -> "Naming":
    from trionet_bench.networks.elastic import equal_names
    from trionet_bench.networks.resnet import names_by_operator

    return names_by_operator if _options(cell).pointwise == "separate" else equal_names
