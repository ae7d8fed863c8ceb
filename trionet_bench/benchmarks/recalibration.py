"""From how many images the batch-norm statistics of a candidate need to be taken for a search to choose the same.

Most of a candidate's time is recalibration. The supernet of a suite is trained, and random candidates are scored after
recalibration on more and on fewer images: whether the order of their scores stays, and what the first of them is worth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from scipy import stats

from trionet_bench.benchmarks.measure import Document, OnCase, Row, Target, at_least, compared, document, line_of
from trionet_bench.benchmarks.opened_suites import opened_suite
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.benchmarks.supernet import timed
from trionet_bench.errors import UsageError
from trionet_bench.search.calibration import ChildScorer
from trionet_bench.search.evolution import random_search
from trionet_bench.search.sampling import HierarchicalSampler
from trionet_bench.search.supernet import train_supernet
from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.cost import budget_range
from trionet_bench.systems.search_phase import child_scorer
from trionet_bench.systems.training_context import AnyTrainingContext, TrainingContext
from trionet_bench.systems.trionet.running import make_sampler, make_supernet
from trionet_bench.systems.trionet.system import SupernetOptions, supernet_recipe
from trionet_bench.timing import threads
from trionet_bench.training.device import resolve_device

CANDIDATES = 30
Context = TrainingContext[SupernetOptions, ResNetSpace]
TIMES = (4, 2, 1, 0.5, 0.25)  # the images that the recipe takes; the first is the reference
LEAST_TAU = 0.9


def measure(setting: Setting, on_case: OnCase, suite: str = "quickstart", data_root: Path | None = None) -> Document:
    """A case for each number of images beside the greatest one; ``setting.samples`` is the number of candidates.

    The first cell of model ``trionet`` in the suite is taken. DataError where its data are missing, UsageError where it
    has no such model.
    """
    device = resolve_device(setting.device)
    with threads(setting.threads) as used, opened_suite(suite, "trionet", str(device), data_root) as opened:
        context = _of_trionet(opened)
        scorers = dict(_scorers(context))
        candidates = _candidates(context, setting.count(CANDIDATES))
        usual = len(context.calibration_batches())
        scored = {images: _scored(scorer, candidates, context) for images, scorer in scorers.items()}
        most = max(scored)
        rows: list[Row] = []
        for place, images in enumerate(sorted(set(scored) - {most}, reverse=True)):
            rows.append(_case(images, scored[images], most, scored[most], usual))
            on_case(place + 1, len(scored) - 1, line_of(rows[-1]))
    return document("recalibration", device, used, rows, targets(rows))


def targets(rows: Sequence[Row]) -> list[Target]:
    """As many images as the recipe takes order the candidates as four times as many do."""
    usual = [row["tau"] for row in rows if row["usual"]]
    return at_least("Kendall's tau of the recipe's images with the most images", LEAST_TAU, usual)


def _of_trionet(context: AnyTrainingContext) -> Context:
    """The context of a model with a supernet as system trionet has them; UsageError for another."""
    if isinstance(context.cell.options, SupernetOptions) and isinstance(context.cell.space, ResNetSpace):
        return cast(Context, context)
    raise UsageError("the model trionet of the suite is not of system trionet, which this benchmark measures.")


def _scorers(context: Context) -> Iterator[tuple[int, ChildScorer]]:
    """The scorer of the trained supernet's children by the number of images that it recalibrates on."""
    cell = context.cell
    supernet = make_supernet(context).to(context.device)
    scorer = child_scorer(context, supernet)
    train_supernet(supernet, make_sampler(cell), context.train_batches("train"), supernet_recipe(cell), scorer)
    for times in TIMES:
        settings = cell.recipe.search
        images = max(settings.calibration_batch, int(times * settings.calibration_images))
        changed = settings.model_copy(update={"calibration_images": images})
        recipe = cell.recipe.model_copy(update={"search": changed})
        other = replace(context, cell=replace(cell, recipe=recipe))
        yield len(other.calibration_batches()), child_scorer(other, supernet.eval())


def _candidates(context: Context, count: int) -> list[Genes]:
    """Different random networks that a search in the cell may score."""
    cell = context.cell
    settings = cell.recipe.search.for_one_draw().model_copy(update={"population": count})
    draw = HierarchicalSampler(cell.space, cell.seed).random
    return [genes for genes, _, _ in random_search(budget_range(cell), _alike, settings, draw, cell.seed).evaluated]


def _alike(genes: Genes) -> float:
    """No candidate is better than another while they are drawn."""
    return 0.0


def _scored(scorer: ChildScorer, candidates: Sequence[Genes], context: Context) -> tuple[list[float], list[float]]:
    """Fitness and milliseconds of each candidate; the first is scored twice, once to warm up."""
    space, scores = context.cell.space, []

    def score(genes: Genes) -> None:
        scores.append(scorer.score(space.decode(genes)))

    spent = [timed(lambda: score(genes), context.device) for genes in (candidates[0], *candidates)]  # noqa: B023
    return scores[1:], spent[1:]


def _case(
    images: int,
    ours: tuple[list[float], list[float]],
    most: int,
    reference: tuple[list[float], list[float]],
    usual: int,
) -> Row:
    """How the scores of fewer images order the candidates, beside those of the most images."""
    tau = float(stats.kendalltau(ours[0], reference[0]).statistic)
    chosen = reference[0][max(range(len(ours[0])), key=ours[0].__getitem__)]
    behind = max(reference[0]) - chosen
    text = f"{images} images, tau {tau:.3f}, the chosen one {behind:.4f} of fitness behind"
    facts: Row = {"case": text, "images": images, "usual": images == usual, "candidates": len(ours[0])}
    facts |= {"tau": tau, "fitness_behind": behind, "scores": ours[0], "reference_scores": reference[0]}
    return compared(facts, ours[1], f"{most} images", reference[1], paired=True)
