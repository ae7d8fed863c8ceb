"""The last step of every system: train the chosen network, test it once, describe it."""

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from pydantic import BaseModel

from trionet_bench.files import atomic_file
from trionet_bench.jsontypes import JsonObject
from trionet_bench.networks.latency import measure_latency
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.mac_totals import count_again, profile
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.records.layout import ARCHITECTURE, PREDICTIONS, WEIGHTS
from trionet_bench.records.record import CellResult, Placement
from trionet_bench.records.store import write_json
from trionet_bench.search.calibration import recalibrate
from trionet_bench.spaces.choice import Architecture, Space
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.training import distributed
from trionet_bench.training.checkpoint import save_weights

O = TypeVar("O", bound=BaseModel)  # noqa: E741
S = TypeVar("S", bound=Space)


def retrain_and_describe(
    context: TrainingContext[O, S],
    architecture: Architecture,
    start: Callable[[Skeleton], object] | None = None,
    space: JsonObject | None = None,
) -> CellResult:
    """Train with the recipe, test once, and leave weights, predictions and ``architecture.json``.

    Args:
        start: changes the initial weights, in place; without it the network is trained from scratch.
        space: that the architecture is in, where that is not the cell's.
    """
    cell, folder, task = context.cell, context.run.folder, context.task.task
    description = describe(context, architecture)
    network = initialise(context.build(architecture), cell.seed)
    references = untrained_metrics(context, architecture)
    if start is not None:
        start(network)
    began = time.monotonic()
    context.train(network, cell.recipe, "retrain")
    trained = time.monotonic()
    test, val = context.evaluate(network, "test"), context.evaluate(network, "val")
    evaluated = time.monotonic()
    if distributed.rank() == 0:
        save_weights(folder / WEIGHTS, deployed_weights(context, network, architecture))
        with atomic_file(folder / PREDICTIONS) as file:
            np.savez_compressed(file, **test.columns)  # type: ignore[arg-type]
        write_json(folder / ARCHITECTURE, network_card(context, architecture, space))
    return description.model_copy(
        update={
            "metrics": {
                **references,
                **task.on_part("test", test.metrics),
                **task.on_part("val", {context.metric: val.metrics[context.metric]}),
            },
            "counts": context.counts(test.n),
            "timings": {
                "retrain_s": trained - began,
                "evaluate_s": evaluated - trained,
                **latency(context, network),
            },
        }
    )


def untrained_metrics(context: TrainingContext[O, S], architecture: Architecture) -> dict[str, float]:
    """What the task's references and the network before its training achieve on the test part, by the names that
    records have for it; empty for a task without references. The network's batch norms are calibrated.
    """
    references = context.task.references()
    if not references:
        return {}
    untrained = initialise(context.build(architecture), context.cell.seed).to(context.device)
    references["untrained"] = recalibrate(untrained, context.calibration_batches(), context.cell.recipe.precision)
    measured: dict[str, float] = {}
    for name, network in references.items():
        metrics = context.task.task.on_part("test", context.evaluate(network, "test").metrics)
        measured |= {f"{name}_{metric}": value for metric, value in metrics.items()}
    return measured


def deployed_weights(
    context: TrainingContext[O, S], network: Skeleton, architecture: Architecture
) -> dict[str, torch.Tensor]:
    """The weights of a trained network without those that only training needs."""
    with torch.device("meta"):
        kept = context.task.deployed(architecture).state_dict()
    trained = context.task.deployed_part(network).state_dict()
    return {name: tensor for name, tensor in trained.items() if name in kept}


def latency(context: TrainingContext[O, S], network: Skeleton) -> dict[str, float]:
    """Median seconds of one image, where the recipe asks for it."""
    if not context.cell.recipe.latency:
        return {}
    image = (context.images.channels, context.cell.resolution, context.cell.resolution)
    measured = measure_latency(network, image, (1,), str(context.device))
    return {"latency_s": measured["batches"][0]["median_ms"] / 1000}


def describe(context: TrainingContext[O, S], architecture: Architecture) -> CellResult:
    """Cost and placement of a network; MACs are counted both ways, and a difference is an error."""
    resolution = context.cell.resolution
    with torch.device("meta"):
        twin = context.task.deployed(architecture)
    cost = profile(twin, resolution)
    count_again(twin, cost.macs, resolution, context.images.channels)
    placed = twin.placement(resolution)
    return CellResult(
        architecture=architecture.to_dict(),
        macs=cost.macs,
        params=cost.params,
        macs_by_operator=cost.macs_by_operator,
        macs_by_stage=cost.macs_by_stage,
        placement=[
            Placement(**entry, macs=macs) for entry, macs in zip(placed, cost.of_placement(placed), strict=True)
        ],
    )


def network_card(
    context: TrainingContext[O, S], architecture: Architecture, space: JsonObject | None = None
) -> JsonObject:
    """Content of ``architecture.json``: what is needed beside the weights to build and feed the network again."""
    images, value_range = context.images, context.cell.data.index.value_range
    outputs = context.task.outputs
    return {
        "space": space or context.cell.space.to_dict(),
        "architecture": architecture.to_dict(),
        "classes": list(images.classes),
        "channels": images.channels,
        "resolution": context.cell.resolution,
        "view": images.view,
        "mean": list(images.mean),
        "std": list(images.std),
        **({"outputs": outputs} if outputs != len(images.classes) else {}),
        **({"value_range": list(value_range)} if value_range is not None else {}),
    }
