"""What every system does at the end: load the images, train the chosen network, test it once, and say what it is."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trionet_bench.data.pipeline.batches import EvalBatches, TrainBatches
from trionet_bench.data.pipeline.image_set import ImageData, ImageSet
from trionet_bench.data.pipeline.loader import load_images
from trionet_bench.networks.cost import count_again, profile
from trionet_bench.networks.latency import measure_latency
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.skeletons import build_network
from trionet_bench.randomness import derived_generator
from trionet_bench.records.layout import ARCHITECTURE, WEIGHTS
from trionet_bench.records.store import write_json
from trionet_bench.spaces.choice import Architecture
from trionet_bench.systems.cell import Cell, Workplace
from trionet_bench.training import distributed
from trionet_bench.training.checkpoint import save_weights
from trionet_bench.training.device import resolve_device
from trionet_bench.training.evaluation import Evaluation, evaluate
from trionet_bench.training.loop import train_classifier
from trionet_bench.training.recipe import Recipe

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Unlabelled:
    """The images of evaluation batches, as often as they are asked for."""

    batches: EvalBatches

    def __len__(self) -> int:
        """Images, not batches."""
        return len(self.batches.images)

    def __iter__(self) -> Iterator[Tensor]:
        for images, _, _ in self.batches:
            yield images


@dataclass(frozen=True)
class Bench:
    """A cell's images and device, with the batches that every system draws from them.

    Final networks train on train and search-validation images together, whatever found them; only a supernet leaves the
    search-validation images out. Validation images are for the record alone.
    """

    cell: Cell
    workplace: Workplace
    images: ImageData
    split_hash: str
    device: torch.device

    @classmethod
    def open(cls, cell: Cell, workplace: Workplace) -> "Bench":
        """Load the images of a cell; DataError where they are missing or broken."""
        data = cell.data
        splits = data.splits(cell.seed)
        images = load_images(
            data.index, splits, cell.resolution, workplace.workers, workplace.cache, skip_broken=data.skip_broken
        )
        return cls(cell, workplace, images, splits.hash, resolve_device(workplace.device))

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.images.classes)

    def build(self, architecture: Architecture) -> Any:
        """The stand-alone network, a ``networks.skeletons.Skeleton``, for these images, without initial weights."""
        return build_network(architecture, self.classes, self.images.channels, self.cell.resolution)

    def train_batches(self, *parts: str) -> TrainBatches:
        """Batches whose order and augmentation depend on the cell's seed, not on its model."""
        return TrainBatches(
            self.images.parts(*parts),
            self.cell.recipe.augment,
            self.cell.resolution,
            self.cell.recipe.batch,
            self.cell.seed,
            self.device,
            distributed.rank(),
            distributed.world(),
        )

    def eval_batches(self, part: str, batch: int = EVALUATION_BATCH) -> EvalBatches:
        """Every image of a part once."""
        return EvalBatches(self.images.part(part), batch, self.device, distributed.rank(), distributed.world())

    def calibration_batches(self, count: int, batch: int) -> "Unlabelled":
        """About ``count`` train images without augmentation, drawn by the cell's seed, in batches of one size."""
        train = self.images.part("train")
        batch = min(batch, len(train))
        taken = max(batch, min(count, len(train)) // batch * batch)
        chosen = derived_generator(self.cell.seed, "calibration").permutation(len(train))[:taken]
        return Unlabelled(EvalBatches(ImageSet(self.images, train.rows[np.sort(chosen)]), batch, self.device))

    def evaluate(self, network: nn.Module, part: str) -> Evaluation:
        """Accuracy on a part."""
        return evaluate(network, self.eval_batches(part), self.device, self.cell.recipe.precision)

    def train(
        self, network: Any, recipe: Recipe, phase: str, parts: tuple[str, ...] = ("train", "search_val")
    ) -> list[dict[str, Any]]:
        """Train in place on these parts; taken up again where an interrupted run stood."""
        network.set_drop_path(recipe.drop_path)
        return train_classifier(
            network,
            self.train_batches(*parts),
            recipe,
            seed=self.cell.seed,
            device=self.device,
            checkpoint=self.workplace.folder / f"{phase}.checkpoint",
            history=self.workplace.folder / "history.jsonl",
            progress=lambda done, total, text: self.workplace.progress(done, total, f"{phase}: {text}"),
            phase=phase,
        )


def retrain_and_describe(bench: Bench, architecture: Architecture) -> dict[str, Any]:
    """Train from scratch with the recipe, test once, leave the files; the record's fields come back."""
    description = describe(bench, architecture)
    network = initialise(bench.build(architecture), bench.cell.seed)
    began = time.monotonic()
    bench.train(network, bench.cell.recipe, "retrain")
    trained = time.monotonic()
    test, val = bench.evaluate(network, "test"), bench.evaluate(network, "val")
    evaluated = time.monotonic()
    if distributed.rank() == 0:
        folder = bench.workplace.folder
        save_weights(folder / WEIGHTS, network)
        np.savez_compressed(folder / "predictions.npz", **test.arrays())  # type: ignore[arg-type]
        write_json(folder / ARCHITECTURE, network_card(bench, architecture))
    return {
        **description,
        "metrics": {"test_top1": test.top1, "test_top5": test.top5, "val_top1": val.top1},
        "counts": counts(bench, test.n),
        "timings": {"retrain_s": trained - began, "evaluate_s": evaluated - trained, **latency(bench, network)},
    }


def latency(bench: Bench, network: nn.Module) -> dict[str, float]:
    """Median seconds of one image, where the recipe asks for it."""
    if not bench.cell.recipe.latency:
        return {}
    image = (bench.images.channels, bench.cell.resolution, bench.cell.resolution)
    found = measure_latency(network, image, (1,), str(bench.device))
    return {"latency_s": found["batches"][0]["median_ms"] / 1000}


def describe(bench: Bench, architecture: Architecture) -> dict[str, Any]:
    """Cost and placement for the record; MACs are counted both ways, and a difference is an error."""
    resolution = bench.cell.resolution
    with torch.device("meta"):
        twin = bench.build(architecture)
    cost = profile(twin, resolution)
    count_again(twin, cost.macs, resolution, bench.images.channels)
    placed = twin.placement(resolution)
    placement = [{**entry, "macs": macs} for entry, macs in zip(placed, cost.of_placement(placed), strict=True)]
    return {
        "architecture": architecture.to_dict(),
        "resolution": resolution,
        "macs": cost.macs,
        "params": cost.params,
        "macs_by_operator": cost.macs_by_operator,
        "macs_by_stage": cost.macs_by_stage,
        "placement": placement,
    }


def counts(bench: Bench, evaluated: int) -> dict[str, int]:
    """Images of each part for the record."""
    parts = {part: len(bench.images.part(part)) for part in ("train", "search_val", "val", "test")}
    return {**parts, "evaluated": evaluated, "skipped": bench.images.skipped}


def network_card(bench: Bench, architecture: Architecture) -> dict[str, Any]:
    """What stands beside the weights, enough to build and feed the network again."""
    return {
        "space": bench.cell.space.to_dict(),
        "architecture": architecture.to_dict(),
        "classes": list(bench.images.classes),
        "channels": bench.images.channels,
        "resolution": bench.cell.resolution,
        "view": bench.images.view,
        "mean": list(bench.images.mean),
        "std": list(bench.images.std),
    }


def drop_checkpoints(folder: Path) -> None:
    """Remove what only an interrupted cell needs."""
    if distributed.rank() == 0:
        for checkpoint in folder.glob("*.checkpoint"):
            checkpoint.unlink()
