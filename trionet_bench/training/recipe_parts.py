"""The parts of a recipe, each with keys of its own."""

from typing import Literal, Self

from pydantic import Field, model_validator

from trionet_bench.limits import MOST_STEPS
from trionet_bench.records.values import Strict

Precision = Literal["float32", "bf16", "auto"]
Fitness = Literal["loss", "metric"]


class Optimizer(Strict):
    """How weights follow their gradients.

    Args:
        name: of the method.
        lr: learning rate after the warm-up, for a batch of ``lr_per`` images.
        lr_per: the learning rate grows with the batch over this one; with None it is absolute.
        momentum, nesterov: of sgd.
        betas, eps: of adamw.
        weight_decay: decoupled from the learning rate in adamw, part of the gradient in sgd.
    """

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(gt=0)
    lr_per: int | None = Field(default=None, gt=0, le=MOST_STEPS)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = True
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.name == "sgd" and self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class Augment(Strict):
    """What is done to a training image, in this order, and to a batch (mixup or cutmix, one of them at a time).

    Args:
        crop: "none", "pad" (shift by up to an eighth of the side) or "resized" (a part of at least ``min_area``).
        min_area: least share of the image that a crop keeps.
        flip: mirror half of the images, unless their source says that a mirrored image means something else.
        colour_jitter: strength of brightness, contrast and saturation changes.
        randaugment: (number of operations, magnitude of 30), or None.
        mixup, cutmix: alpha of the Beta distribution, 0 is off; with both, each batch draws one with equal chance.
        erase: probability of erasing a rectangle.
    """

    crop: Literal["none", "pad", "resized"] = "resized"
    min_area: float = Field(default=0.08, gt=0, le=1)
    flip: bool = True
    colour_jitter: float = Field(default=0.0, ge=0)
    randaugment: tuple[int, int] | None = None
    mixup: float = Field(default=0.0, ge=0)
    cutmix: float = Field(default=0.0, ge=0)
    erase: float = Field(default=0.0, ge=0, le=1)


class SupernetRecipe(Strict):
    """Where training a supernet differs from training one network.

    Each step trains the biggest, the smallest and some random children on one batch.

    Args:
        epochs, warmup_epochs: of the supernet.
        random_children: of a step, besides the biggest and the smallest.
        distillation: all but the biggest learn from its logits instead of the labels.
        temperature: of these logits.
        lr_scale: multiplies the recipe's learning rate.
        clip_norm, clip_value: replace those of the recipe.
    """

    epochs: int = Field(gt=0, le=MOST_STEPS)
    warmup_epochs: float = Field(default=0, ge=0)
    random_children: int = Field(default=2, ge=0, le=MOST_STEPS)
    distillation: bool = True
    temperature: float = Field(default=1.0, gt=0)
    lr_scale: float = Field(default=1.0, gt=0)
    clip_norm: float | None = Field(default=None, gt=0)
    clip_value: float | None = Field(default=None, gt=0)


class SearchRecipe(Strict):
    """Evolutionary search. Before a child is scored, its batch-norm statistics are taken anew from training images.

    Args:
        population: candidates of a generation.
        parents: the best so far, from which the next generation comes.
        generations: how many.
        crossover, mutation: children of a generation that come so; the rest is drawn at random.
        probability: of each gene to change in a mutation.
        calibration_images, calibration_batch: that batch-norm statistics are taken from.
        evaluation_batch: images at a time when a child is scored; changes only the speed.
        least_share: of the budget, which every candidate spends.
        fitness: ``loss``, minus the task's loss on the search-validation images, or its primary ``metric``.
        at_chance: what follows where none of the supernet's probes is above chance: ``draw`` one network blindly, or
            ``search`` all the same.
    """

    population: int = Field(default=50, gt=0, le=MOST_STEPS)
    parents: int = Field(default=10, gt=0, le=MOST_STEPS)
    generations: int = Field(default=20, gt=0, le=MOST_STEPS)
    crossover: int = Field(default=25, ge=0, le=MOST_STEPS)
    mutation: int = Field(default=25, ge=0, le=MOST_STEPS)
    probability: float = Field(default=0.1, gt=0, le=1)
    calibration_images: int = Field(default=4096, gt=0, le=MOST_STEPS)
    calibration_batch: int = Field(default=256, gt=1, le=MOST_STEPS)
    evaluation_batch: int = Field(default=256, gt=0, le=MOST_STEPS)
    least_share: float = Field(default=0.9, ge=0, lt=1)
    fitness: Fitness = "loss"
    at_chance: Literal["draw", "search"] = "draw"

    def for_one_draw(self) -> Self:
        """These settings for a search that scores one random network."""
        return self.model_copy(update={"population": 1, "parents": 1, "generations": 1, "crossover": 0, "mutation": 0})

    @model_validator(mode="after")
    def _generation_fits(self) -> Self:
        if self.parents > self.population:
            raise ValueError(f"parents ({self.parents}) exceed the population ({self.population})")
        if self.crossover + self.mutation > self.population:
            raise ValueError(
                f"crossover + mutation ({self.crossover + self.mutation}) exceed the population ({self.population})"
            )
        return self
