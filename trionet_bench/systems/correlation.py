"""Does a supernet rank architectures as training them does?

Architectures spread over the MACs and operators of the space (``search.spreading``) are each trained alone with the
recipe, and scored with the weights of a supernet; ``analysis.ranking`` correlates the two. All accuracies are on the
validation images, which neither guided a search nor trained anything, and the test images are not touched (our choice;
the paper reports no correlation). Inherited accuracy is taken after recalibration, as a search takes it, and without:
then all children have the same statistics, the mean of those that children have that are drawn as in training.

Each training is a shared phase of its own: arms that differ in their supernet, and a study of more architectures, take
up those that are there. The supernet is that of a ``trionet`` model with the same options.
"""

import time
from functools import lru_cache
from statistics import fmean
from typing import Any

from pydantic import Field

from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems import trionet
from trionet_bench.systems.cell import Cell, Phase, Workplace, space_fields
from trionet_bench.systems.standalone import cost_in, resnet_space
from trionet_bench.systems.work import Work, evaluation, images_in, training

ALONE = "alone-"
COMMON_CHILDREN = 32  # whose statistics make the common ones
_NOT_FOR_ONE = ("supernet", "search", "finetune_epochs", "finetune_lr_scale")


class Options(trionet.SupernetOptions):
    """What a suite may say of a correlation: its supernet, and how many architectures are ranked."""

    architectures: int = Field(default=30, ge=3, lt=1000)


def phases(cell: Cell) -> tuple[Phase, ...]:
    """The supernet, and the training of each architecture; none waits for another."""
    spec = {
        "space": space_fields(cell.space),
        "budget": cell.budget,
        "recipe": cell.recipe.key_fields(without=_NOT_FOR_ONE),
        "data": cell.data.key_fields(),
        "resolution": cell.resolution,
        "seed": cell.seed,
    }
    alone = (Phase(_name(number), {"number": number, **spec}, needs=()) for number in range(_count(cell)))
    return (trionet.supernet_phase(cell), *alone)


def check(cell: Cell) -> None:
    """UsageError where the space has too few networks within the budget."""
    _architectures(cell, _count(cell))


def work(cell: Cell) -> list[Work]:
    """Every architecture scored twice, once after recalibration; and the statistics in common."""
    macs = fmean(map(cost_in(cell), _architectures(cell, _count(cell))))
    calibration = min(cell.recipe.search.calibration_images, images_in(cell, ("train",)))
    scored = _count(cell) * (calibration + 2 * images_in(cell, ("val",)))
    return [Work("evaluate", scored + COMMON_CHILDREN * calibration, macs)]


def phase_work(phase: Phase, cell: Cell) -> list[Work]:
    """The supernet's, or the training of one architecture."""
    if phase.name == trionet.SUPERNET:
        return trionet.phase_work(phase, cell)
    macs = cost_in(cell)(_architectures(cell, _count(cell))[_number(phase)])
    return [training(cell, cell.recipe, macs, "alone"), evaluation(cell, macs, "val")]


def run_phase(phase: Phase, cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """Train the supernet, or one architecture alone."""
    if phase.name == trionet.SUPERNET:
        return trionet.run_phase(phase, cell, workplace)
    from trionet_bench.networks.layers import initialise
    from trionet_bench.systems.retraining import Bench, describe, drop_checkpoints

    began = time.monotonic()
    bench = Bench.open(cell, workplace)
    number = _number(phase)
    space, genes = resnet_space(cell), _architectures(cell, number + 1)[number]
    architecture = space.decode(genes)
    description = describe(bench, architecture)
    network = initialise(bench.build(architecture), cell.seed)
    bench.train(network, cell.recipe, phase.name)
    val = bench.evaluate(network, "val")
    drop_checkpoints(workplace.folder)
    return {
        "architecture": description["architecture"],
        "macs": description["macs"],
        "params": description["params"],
        "operators": space.codes(genes),
        "val_top1": val.top1,
        "timings": {"alone_s": time.monotonic() - began},
    }


def run_cell(cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """Score every architecture with the supernet's weights, beside what it reached alone."""
    from trionet_bench.search.calibration import share_statistics
    from trionet_bench.search.evolution import Ledger
    from trionet_bench.systems.retraining import Bench, counts
    from trionet_bench.training import distributed

    began = time.monotonic()
    bench = Bench.open(cell, workplace)
    space, scorer, sampler = resnet_space(cell), trionet.open_supernet(bench), trionet.make_sampler(cell)
    supernet, writes = scorer.supernet, distributed.rank() == 0
    drawn = [child.genes for step in range(COMMON_CHILDREN) for child in sampler.draw(step)][:COMMON_CHILDREN]
    share_statistics(supernet, map(space.decode, drawn), scorer.calibration, cell.recipe.precision)
    recalibrated = Ledger(workplace.folder / "recalibrated.jsonl", writes)
    common = Ledger(workplace.folder / "not_recalibrated.jsonl", writes)
    ranked, alone_s = [], 0.0
    for number, genes in enumerate(_architectures(cell, _count(cell))):
        trained = workplace.finished(_name(number))
        facts = trained.facts
        ranked.append(
            {
                **{name: facts[name] for name in ("architecture", "macs", "params", "operators")},
                "val": facts["val_top1"],
                "inherited_val": recalibrated.score(
                    genes, lambda genes: bench.evaluate(scorer.child(space.decode(genes)), "val").top1
                ),
                "inherited_val_not_recalibrated": common.score(
                    genes, lambda genes: bench.evaluate(supernet.extract(space.decode(genes)), "val").top1
                ),
            }
        )
        alone_s += trained.timings["alone_s"]
        workplace.progress(number + 1, _count(cell), f"scores: {facts['operators']}")
    return {
        "ranked": ranked,
        "counts": counts(bench, 0),
        "timings": {
            "supernet_s": workplace.finished(trionet.SUPERNET).timings["supernet_s"],
            "alone_s": alone_s,
            "evaluate_s": time.monotonic() - began,
        },
    }


def _architectures(cell: Cell, count: int) -> list[Genes]:
    """The first so many of the cell's architectures, which do not depend on its seed or supernet."""
    space, index = resnet_space(cell), cell.data.index
    return _spread(space, len(index.classes), index.channels, cell.resolution, cell.budget, count)


@lru_cache(maxsize=8)  # an estimate asks for the same ones for each
def _spread(space: ResNetSpace, classes: int, channels: int, resolution: int, budget: int, count: int) -> list[Genes]:
    from trionet_bench.networks.skeletons import architecture_macs
    from trionet_bench.search.spreading import spread

    return spread(space, lambda g: architecture_macs(space.decode(g), classes, channels, resolution), budget, count)


def _count(cell: Cell) -> int:
    assert isinstance(cell.options, Options)
    return cell.options.architectures


def _name(number: int) -> str:
    return f"{ALONE}{number:03}"


def _number(phase: Phase) -> int:
    return int(phase.name.removeprefix(ALONE))
