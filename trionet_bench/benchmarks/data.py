"""The share of the input pipeline in a training step, with the recipe's augmentation; and the identity of files.

Measured in one loop, as training runs it: the time until a batch is loaded, then the step on it. The network is the
space's middle one of convolutions only, the fastest one, so that the share is the largest.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import torch.nn.functional as F

from trionet_bench.benchmarks import data_identity
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
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.networks.layers import initialise
from trionet_bench.systems.training_context import AnyTrainingContext
from trionet_bench.timing import finish, threads
from trionet_bench.training.device import autocast, resolve_device
from trionet_bench.training.optimizer import build_optimizer

LIMIT = 0.1  # of a step
MODELS = {"conv": {"system": "standalone", "operator": "conv"}}
# (source, space, recipe)
SHIPPED = (
    ("sklearn:digits", "resnet-nano", "quick"),
    ("synthetic:texture?n=1000", "resnet-nano", "quick"),
    ("synthetic:texture?n=1000&size=64", "resnet-tiny", "quick"),
)


def measure(
    setting: Setting,
    on_case: OnCase,
    custom: tuple[str, str, str] | None = None,
    data_root: Path | None = None,
) -> Document:
    """A case for each shipped (source, space, recipe) and each set of files to identify, or for ``custom`` only.

    DataError where the data of ``custom`` are missing.
    """
    device = resolve_device(setting.device)
    chosen = (custom,) if custom else SHIPPED[: 2 if setting.quick else None]
    to_identify = () if custom else data_identity.QUICK if setting.quick else data_identity.SHIPPED
    rows: list[Row] = []
    with threads(setting.threads) as used:
        for source, space, recipe in chosen:
            changes: Keys = {
                "name": "data",
                "datasets": {"data": {"source": source}},
                "space": space,
                "recipe": recipe,
            }
            changes |= {"budgets": ["1T"], "models": MODELS, "seeds": [0]}
            with opened(changes, "conv", str(device), data_root) as study:
                rows.append({**_measure(study, setting.count(20)), "source": source, "space": space, "recipe": recipe})
            on_case(len(rows), len(chosen) + len(to_identify), line_of(rows[-1]))
        for files in to_identify:
            rows.append(data_identity.measure_identity(files, setting.count(5)))
            on_case(len(rows), len(chosen) + len(to_identify), line_of(rows[-1]))
    return document("data", device, used, rows, targets(rows))


def targets(rows: Sequence[Row]) -> list[Target]:
    """A bound over the cases of loading, and one over those of identity."""
    return [
        *at_most("input pipeline over a training step", LIMIT, [row["ratio"] for row in rows if "space" in row]),
        *at_most(
            "knowing files by content over reading them",
            data_identity.LIMIT,
            [row["ratio"] for row in rows if "files_per_s" in row],
        ),
    ]


def _measure(study: AnyTrainingContext, samples: int) -> Row:
    space, recipe, device = study.cell.space, study.cell.recipe, study.device
    genes = space.middle(space.operators_set_to("conv"))
    network = initialise(study.build(space.decode(genes)), 0).to(device).train()
    optimizer = build_optimizer(network, recipe)
    batches = study.train_batches("train")
    loading: list[float] = []
    steps: list[float] = []
    epoch = 0
    while len(steps) <= samples:
        start = time.perf_counter()
        for images, targets in batches.epoch(epoch):
            finish(device)
            loaded = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            with autocast(device, recipe.precision):
                logits = network(images)
            F.cross_entropy(logits.float(), targets, label_smoothing=recipe.label_smoothing).backward()
            optimizer.step()
            finish(device)
            loading.append(1000 * (loaded - start))
            start_next = time.perf_counter()
            steps.append(1000 * (start_next - start))
            start = start_next
            if len(steps) > samples:
                break
        epoch += 1
    facts = {"case": f"{study.cell.data.index.uri}, {space.name}, recipe {recipe.name}", "batch": batches.batch}
    facts |= {"resolution": study.cell.resolution, "device": str(device)}
    return compared(facts, loading[1:], "loading and step", steps[1:])  # the first warms up
