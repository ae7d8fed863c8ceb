"""TrioNet: a supernet over convolution, local and axial attention, a search under the budget, and retraining of what it
finds.

Pi et al. 2021 (arXiv 2111.07547). One supernet serves every budget, and every way to search it. The found network is
trained from scratch like any stand-alone one (``test_top1``), and scored with the supernet's weights, recalibrated
(``inherited_*``) and trained on (``finetuned_test_top1``); which of these the paper reports is not known.
"""

import time
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from trionet_bench.records.phase import read_phase
from trionet_bench.records.record import Strict
from trionet_bench.spaces.choice import Architecture
from trionet_bench.systems.cell import Cell, Phase, Workplace, option_fields, space_fields
from trionet_bench.systems.standalone import cost_in, resnet_space
from trionet_bench.systems.work import Work, final_network, images_in, search_work
from trionet_bench.training.recipe import Recipe

if TYPE_CHECKING:
    from trionet_bench.systems.retraining import Bench

_DRAWS = 24  # steps whose children stand for all in an estimate


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
    return Phase("supernet", spec)


def check(cell: Cell) -> None:
    """UsageError where no network of the space fits the budget."""
    from trionet_bench.search.evolution import check_budget

    check_budget(resnet_space(cell), cost_in(cell), cell.budget)


def work(cell: Cell) -> list[Work]:
    """The search and the training of what it finds."""
    return [*search_work(cell), *final_network(cell)]


def phase_work(phase: Phase, cell: Cell) -> list[Work]:
    """The supernet's steps, at the mean cost of the children that the first of them draw, and its probes."""
    from trionet_bench.search.supernet import ProbeCurves, probes

    sampler, cost, recipe = make_sampler(cell), cost_in(cell), _recipe(cell)
    children = [child.genes for step in range(_DRAWS) for child in sampler.draw(step)]
    macs = fmean(map(cost, children))
    train, held_out = images_in(cell, ("train",)), images_in(cell, ("search_val",))
    batches = max(1, train // recipe.batch)
    seen = recipe.supernet.epochs * batches * min(recipe.batch, train) * len(children) // _DRAWS
    curves = probes(cell.space, cell.seed).values()
    scored = min(ProbeCurves.times, recipe.supernet.epochs) * len(curves)
    calibration = min(recipe.search.calibration_images, train)
    return [
        Work("supernet", seen, macs, trains=True, parameters=supernet_parameters(cell)),
        Work("supernet", scored * (calibration + held_out), fmean(map(cost, curves))),
    ]


def supernet_parameters(cell: Cell) -> int:
    """Weights of the supernet, within a few percent: for each name the largest of the networks that span the space."""
    import torch

    from trionet_bench.networks.skeletons import build_network

    largest: dict[str, int] = {}
    index = cell.data.index
    for architecture in resnet_space(cell).cover():
        with torch.device("meta"):
            network = build_network(architecture, len(index.classes), index.channels, cell.resolution)
        for name, parameter in network.named_parameters():
            largest[name] = max(largest.get(name, 0), parameter.numel())
    return sum(largest.values())


def run_phase(phase: Phase, cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """Train the supernet; leaves ``weights.safetensors`` and ``history.jsonl``."""
    from trionet_bench.search.supernet import operator_draws, probe_points, train_supernet
    from trionet_bench.systems.retraining import Bench, drop_checkpoints
    from trionet_bench.training import distributed
    from trionet_bench.training.checkpoint import save_weights

    began = time.monotonic()
    bench = Bench.open(cell, workplace)
    supernet, sampler = _supernet(cell, bench), make_sampler(cell)
    batches = bench.train_batches("train")
    rows = train_supernet(
        supernet,
        sampler,
        batches,
        _recipe(cell),
        _scorer(bench, supernet),
        seed=cell.seed,
        device=bench.device,
        checkpoint=workplace.folder / "supernet.checkpoint",
        history=workplace.folder / "history.jsonl",
        progress=lambda done, total, text: workplace.progress(done, total, f"supernet: {text}"),
    )
    if distributed.rank() == 0:
        save_weights(workplace.folder / "weights.safetensors", supernet)
    drop_checkpoints(workplace.folder)
    steps = len(batches) * cell.recipe.supernet.epochs
    return {
        "probes": probe_points(rows),
        "operator_draws": operator_draws(sampler, steps),
        "steps": steps,
        "timings": {"supernet_s": time.monotonic() - began},
    }


def run_search(cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """The search alone: scores its children, leaves them in ``evaluations.jsonl`` for ``run_cell``, returns what it
    found.
    """
    from trionet_bench.systems.retraining import Bench

    found = _search(Bench.open(cell, workplace))
    return {"architecture": found.architecture.to_dict(), "search": found.fields}


def run_cell(cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """Search in the trained supernet, then train the found network from scratch and from its inherited weights."""
    from trionet_bench.systems.retraining import Bench, drop_checkpoints, retrain_and_describe

    bench = Bench.open(cell, workplace)
    began = time.monotonic()
    found = _search(bench)
    searched = time.monotonic()
    fields = retrain_and_describe(bench, found.architecture)
    inherited = found.scorer.child(found.architecture)
    fields["metrics"] |= {
        "inherited_val_top1": bench.evaluate(inherited, "val").top1,
        "inherited_test_top1": bench.evaluate(inherited, "test").top1,
        "search_val_top1": found.fitness,
    }
    if cell.recipe.finetune_epochs:
        finetuning = time.monotonic()
        bench.train(inherited, cell.recipe.for_finetuning(), "finetune")
        fields["metrics"]["finetuned_test_top1"] = bench.evaluate(inherited, "test").top1
        fields["timings"]["finetune_s"] = time.monotonic() - finetuning
    fields["timings"] |= {"search_s": searched - began, "supernet_s": found.supernet_s}
    fields["search"] = found.fields
    drop_checkpoints(workplace.folder)
    return fields


@dataclass(frozen=True)
class _Found:
    architecture: Architecture
    fitness: float
    scorer: Any
    fields: dict[str, Any]
    supernet_s: float


def _search(bench: "Bench") -> _Found:
    """Search under the cell's budget; ``fields`` is the record's ``search``."""
    from trionet_bench.search.evolution import ENGINES, Ledger, legal_prior
    from trionet_bench.search.supernet import operators_of
    from trionet_bench.training import distributed

    cell, workplace = bench.cell, bench.workplace
    space, options, recipe = resnet_space(cell), cell.options, cell.recipe
    assert isinstance(options, Options)
    trained = read_phase(workplace.inputs["supernet"])
    assert trained is not None
    sampler, scorer, cost = make_sampler(cell), open_supernet(bench), cost_in(cell)
    found = ENGINES[options.search](
        space,
        cost,
        lambda genes: scorer.score(space.decode(genes)),
        cell.budget,
        recipe.search,
        sampler.random,
        cell.seed,
        Ledger(workplace.folder / "evaluations.jsonl", writes=distributed.rank() == 0),
        lambda done, total, text: workplace.progress(done, total, f"search: {text}"),
    )
    fields = {
        "algorithm": options.search,
        "sampler": options.sampler,
        "sharing": options.sharing,
        "evaluations": len(found.evaluated),
        "acceptance_rate": found.acceptance_rate,
        "calibration_images": len(scorer.calibration),
        "best_by_generation": [vars(state) for state in found.generations],
        "evaluated": [
            {"macs": macs, "fitness": fitness, "operators": "".join(o[0] for o in operators_of(space, genes))}
            for genes, macs, fitness in found.evaluated
        ],
        "operator_prior": [
            {"stage": stage, "block": block, "operator": operator, "share": share}
            for stage, block, operator, share in legal_prior(space, cost, cell.budget, sampler.random, cell.seed)
        ],
        "operator_draws": trained.facts["operator_draws"],
        "probes": trained.facts["probes"],
    }
    best = max(fitness for _, _, fitness in found.evaluated)
    return _Found(space.decode(found.best), best, scorer, fields, trained.timings["supernet_s"])


def open_supernet(bench: "Bench") -> Any:
    """The trained supernet among the cell's inputs, as the ``ChildScorer`` of its children."""
    from trionet_bench.training.checkpoint import load_weights

    supernet = _supernet(bench.cell, bench)
    supernet.load_state_dict(load_weights(bench.workplace.inputs["supernet"] / "weights.safetensors"))
    return _scorer(bench, supernet.to(bench.device).eval())


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


def _supernet(cell: Cell, bench: "Bench") -> Any:
    from trionet_bench.networks.elastic import Supernet, own_names
    from trionet_bench.networks.resnet import names_by_operator
    from trionet_bench.networks.sharing import SHARINGS

    options = _options(cell)
    naming = names_by_operator if options.pointwise == "separate" else own_names
    return Supernet(resnet_space(cell), bench.build, SHARINGS[options.sharing](), cell.seed, naming)


def _scorer(bench: "Bench", supernet: Any) -> Any:
    """Scores children on the search-validation images, after calibration on some of the train part."""
    from trionet_bench.search.calibration import ChildScorer

    settings = bench.cell.recipe.search
    calibration = bench.calibration_batches(settings.calibration_images, settings.calibration_batch)
    held_out = bench.eval_batches("search_val", settings.evaluation_batch)
    return ChildScorer(supernet, calibration, held_out, bench.device, bench.cell.recipe.precision)
