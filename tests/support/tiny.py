"""Spaces, images and cells that are small enough to be counted by hand, and to be searched and trained in a moment."""

from itertools import product
from typing import Any

import numpy as np
from PIL import Image
from pydantic import BaseModel

from trionet_bench.data.digest import digest_table
from trionet_bench.data.index import Index
from trionet_bench.spaces.choice import Genes, Space
from trionet_bench.spaces.resnet import ResNetSpace, StageChoices
from trionet_bench.systems.cell import Cell, DataChoice
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.registry import DEFAULT
from trionet_bench.training.recipe import resolve_recipe

# Stage 0 has one or two blocks, stage 1 has one. A block is a convolution (2 expansions), local attention (2
# expansions, 2 windows) or axial attention (2 expansions): 8 in all.
TINY = ResNetSpace(
    name="tiny",
    resolution=8,
    stem="conv3",
    stem_widths=(8,),
    stages=(
        StageChoices(depths=(1, 2), widths=(16,), stride=1),
        StageChoices(depths=(1,), widths=(16, 32), stride=2),
    ),
    expansions=(0.25, 0.5),
    windows=(3, 5),
    heads=(2,),
    qk=(0.5,),
    v=(1.0,),
)

# Every dimension has a choice, among them widths at which a shortcut comes and goes.
FOUR_STAGES = ResNetSpace(
    name="four-stages",
    resolution=16,
    stem="conv3-pool",
    stem_widths=(8, 16),
    stages=(
        StageChoices(depths=(1, 2), widths=(16, 24), stride=1),
        StageChoices(depths=(1, 2), widths=(24, 32), stride=2),
        StageChoices(depths=(1,), widths=(32,), stride=1),
        StageChoices(depths=(1, 2), widths=(32, 48), stride=2),
    ),
    kernels=(3, 5),
    heads=(2, 4),
    local_terms=("plain", "position_sensitive"),
)


def all_networks(space: Space) -> list[Genes]:
    """The canonical genes of every network of a space, each once."""
    everything = product(*(range(int(count)) for count in space.gene_counts))
    return list(dict.fromkeys(map(space.canonical, everything)))


class Arrays:
    """A reader of images that are in memory."""

    def __init__(self, parts: dict[str, np.ndarray]) -> None:
        self.parts = parts

    def read(self, part: str, position: int) -> Image.Image:
        return Image.fromarray(self.parts[part][position, :, :, 0])

    def item(self, part: str, position: int) -> str:
        return f"{part} image {position}"

    def arrays(self, part: str) -> np.ndarray:
        return self.parts[part]

    def digests(self, part: str) -> np.ndarray:
        return digest_table(image.tobytes() for image in self.parts[part])


def index(classes: int = 3) -> Index:
    """8 x 8 grey images of three or four classes, a bright part of the image each; 60 to train, 15 to test."""
    generator = np.random.default_rng(0)
    labels = {"train": np.arange(60) % classes, "test": np.arange(15) % classes}
    period = 8 // classes + (classes == 3)
    images = {}
    for part, of_part in labels.items():
        pixels = generator.integers(0, 140, (len(of_part), 8, 8, 1))
        for image, label in zip(pixels, of_part, strict=True):
            image[:, period * label : period * label + 2] += 90
        images[part] = pixels.astype(np.uint8)
    return Index(
        uri="memory:thirds",
        name="thirds",
        classes=("left", "middle", "right", "edge")[:classes],
        channels=1,
        native_size=8,
        labels=labels,
        reader=Arrays(images),
        fingerprint="0" * 64,
        flip_safe=False,
    )


RECIPE = resolve_recipe(
    {
        "epochs": 3,
        "finetune_epochs": 2,
        "batch": 16,
        "optimizer": {"lr": 0.05},
        "augment": {"crop": "pad"},
        "supernet": {"epochs": 2, "random_children": 1},
        "search": {
            "population": 4,
            "parents": 2,
            "generations": 2,
            "crossover": 1,
            "mutation": 1,
            "calibration_images": 20,
            "calibration_batch": 8,
            "at_chance": "search",
        },
    }
)


def cell(
    system: str, budget: int = 120_000, seed: int = 0, task: Task = DEFAULT, **options: Any
) -> Cell[BaseModel, ResNetSpace]:
    """A cell on the images of ``index``; ``options`` are those of the system."""
    return Cell(
        suite="tests",
        data=DataChoice("thirds", index(), search_val=0.2, val=0.1, task=task),
        model=system,
        system=system,
        options=SYSTEMS.get(system).options_type(**options),
        space=TINY,
        recipe=RECIPE,
        resolution=8,
        budget=budget,
        seed=seed,
    )
