"""Overhead of a supernet: a step of training beside the same children as stand-alone networks, and the scoring of a
candidate beside plain inference with the same recalibration.

Every sample draws new children, as training and search do, so that what is built for each child is included.
"""

import time
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.benchmarks.measure import (
    Document,
    OnCase,
    Row,
    Target,
    at_most,
    compared,
    document,
    line_of,
)
from trionet_bench.benchmarks.opened_suites import Keys, opened
from trionet_bench.benchmarks.peak import products, rates
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.benchmarks.training import step_macs
from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.sharing import MultiHeadSharing
from trionet_bench.search.calibration import ChildScorer, recalibrate
from trionet_bench.search.sampling import Child, HierarchicalSampler
from trionet_bench.search.supernet import SupernetStep
from trionet_bench.systems.training_context import AnyTrainingContext
from trionet_bench.timing import finish, threads
from trionet_bench.training.device import autocast, resolve_device
from trionet_bench.training.distillation import soft_cross_entropy
from trionet_bench.training.recipe import Recipe

STEP_LIMIT, SCORE_LIMIT = 1.10, 1.15
STEP, SCORE = "sandwich step", "candidate evaluation"
# The shipped quickstart, and a larger space on larger images.
STUDIES: dict[str, Keys] = {
    "resnet-nano": {"name": "nano", "extends": "quickstart"},
    "resnet-tiny": {
        "name": "tiny",
        "extends": "quickstart",
        "datasets": {"digits": {"source": "synthetic:texture?n=1200&size=64"}},
        "space": "resnet-tiny",
        "recipe": {"base": "quick", "batch": 16, "search": {"calibration_images": 128, "calibration_batch": 64}},
        "budgets": ["60M"],
    },
}


def measure(setting: Setting, on_case: OnCase) -> Document:
    """Two cases for each study: a sandwich step, a candidate's evaluation."""
    device = resolve_device(setting.device)
    studies = list(STUDIES)[: 1 if setting.quick else None]
    rows: list[Row] = []
    with threads(setting.threads) as used:
        for space in studies:
            with opened(STUDIES[space], "trionet", str(device)) as study:
                supernet = Supernet(study.cell.space, study.build, MultiHeadSharing(), 0).to(device)
                samples = setting.count(12 if space == studies[0] else 7)
                for case in (_step(study, supernet, samples), _score(study, supernet, samples)):
                    rows.append({**case, "space": space, "device": str(device), "case": f"{case['kind']}, {space}"})
                    on_case(len(rows), 2 * len(studies), line_of(rows[-1]))
    return document("supernet", device, used, rows, targets(rows))


def targets(rows: Sequence[Row]) -> list[Target]:
    """Both bounds, over all studies."""

    def ratios(kind: str) -> list[float]:
        return [row["ratio"] for row in rows if row["kind"] == kind]

    return [
        *at_most("sandwich step over the same children as stand-alone networks", STEP_LIMIT, ratios(STEP)),
        *at_most("candidate evaluation over plain inference and recalibration", SCORE_LIMIT, ratios(SCORE)),
    ]


def _step(study: AnyTrainingContext, supernet: Supernet, samples: int) -> Row:
    cell, device = study.cell, study.device
    recipe = cell.recipe.for_supernet()
    sampler = HierarchicalSampler(cell.space, 0, recipe.supernet.random_children)
    step = SupernetStep(supernet, sampler, recipe, study.task)
    images, labels = next(study.train_batches("train").epoch(0))
    supernet.train()
    ours, theirs = [], []
    macs, multiply = 0, products(device)
    peak: dict[str, list[float]] = {name: [] for name in multiply}
    for number in range(samples + 1):  # the first warms up and is dropped
        children = sampler.draw(number)
        networks = [supernet.extract(cell.space.decode(child.genes)).train() for child in children]
        supernet.zero_grad(set_to_none=True)
        standalone = timed(lambda: train_standalone(children, networks, images, labels, recipe), device)  # noqa: B023
        together = timed(lambda: step(images, labels, number), device)  # noqa: B023
        if number:
            ours.append(together)
            theirs.append(standalone)
            macs += sum(step_macs(network, images.shape[3], len(images)) for network in networks)
            for name, product in multiply.items():
                peak[name].append(timed(product, device))
    facts = {"kind": STEP, "batch": len(images), "children": len(children)}
    facts |= rates(macs, sum(ours), peak, device)
    return compared(facts, ours, "its children, stand-alone", theirs, paired=True)


def train_standalone(
    children: Sequence[Child], networks: Sequence[nn.Module], images: Tensor, labels: Tensor, recipe: Recipe
) -> None:
    """The losses and gradients of a sandwich step, by networks that share nothing."""
    teacher: Tensor | None = None
    for child, network in zip(children, networks, strict=True):
        with autocast(images.device, recipe.precision):
            logits = network(images)
        logits = logits.float()
        if teacher is not None and child.role != "biggest":
            loss = soft_cross_entropy(logits, teacher, recipe.supernet.temperature)
        else:
            loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
        (loss / len(children)).backward()
        if child.role == "biggest" and recipe.supernet.distillation:
            teacher = logits.detach()


def _score(study: AnyTrainingContext, supernet: Supernet, samples: int) -> Row:
    settings, space = study.cell.recipe.search, study.cell.space
    calibration = study.calibration_batches()
    held_out = study.eval_batches("search_val", settings.evaluation_batch)
    scorer = ChildScorer(supernet.eval(), study.task, calibration, held_out)
    ready = list(calibration), [(images, labels) for images, labels, _ in held_out]
    sampler = HierarchicalSampler(space, 1)
    ours, theirs = [], []
    for number in range(samples + 1):
        architecture = space.decode(sampler.draw(number)[1].genes)
        network = supernet.extract(architecture)
        plain = timed(lambda: infer(recalibrate(network, ready[0]), ready[1]), study.device)  # noqa: B023
        scored = timed(lambda: scorer.score(architecture), study.device)  # noqa: B023
        if number:
            ours.append(scored)
            theirs.append(plain)
    facts = {"kind": SCORE, "calibration_images": len(calibration), "images": len(held_out.images)}
    return compared(facts, ours, "inference and recalibration", theirs, paired=True)


@torch.no_grad()
def infer(network: nn.Module, batches: Sequence[tuple[Tensor, Tensor]]) -> int:
    """Number of correct predictions of a network on images in memory."""
    return sum(int((network(images).argmax(dim=1) == labels).sum()) for images, labels in batches)


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Milliseconds of one piece of work."""
    finish(device)
    start = time.perf_counter()
    work()
    finish(device)
    return 1000 * (time.perf_counter() - start)
