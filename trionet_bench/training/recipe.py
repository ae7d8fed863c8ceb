"""How networks are trained, as plain values: frozen recipes, checked when made, with named and versioned presets.

A recipe says everything about training that changes a result, for a network trained from scratch, for a supernet and
for the search in it. This module does not import torch, so that plans and keys are made without it.
"""

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from trionet_bench.errors import UsageError, nearest
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.store import canonical
from trionet_bench.records.values import Strict

# These change no result, and do not enter a cell's key. Neither does what is for people.
_NOT_IN_KEY: Any = {
    **dict.fromkeys(("name", "channels_last", "latency", "validate_every", "precision_reason", "fidelity"), True),
    "search": {"evaluation_batch"},
}


Precision = Literal["float32", "bf16", "auto"]
Fitness = Literal["loss", "metric"]


class RecipeError(UsageError):
    """A wrong recipe. ``path`` leads to the offending key, for a message that names file and line."""

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


class Optimizer(Strict):
    """The optimizer. ``lr`` holds for a batch of ``lr_per`` images and grows with it; with None it is absolute."""

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(gt=0)
    lr_per: int | None = Field(default=None, gt=0)
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

    Each step trains the biggest, the smallest and ``random_children`` others on one batch. With ``distillation`` all
    but the biggest learn from its logits instead of the labels. ``lr_scale`` multiplies the recipe's learning rate.
    """

    epochs: int = Field(gt=0)
    warmup_epochs: float = Field(default=0, ge=0)
    random_children: int = Field(default=2, ge=0)
    distillation: bool = True
    temperature: float = Field(default=1.0, gt=0)
    lr_scale: float = Field(default=1.0, gt=0)
    clip_norm: float | None = Field(default=None, gt=0)
    clip_value: float | None = Field(default=None, gt=0)


class SearchRecipe(Strict):
    """Evolutionary search. ``crossover`` and ``mutation`` are children per generation; the rest is filled at random.

    Before a child is scored, its BatchNorm statistics are taken anew from ``calibration_images`` training images, in
    batches of ``calibration_batch``.

    Args:
        least_share: of the budget, which every candidate spends.
        fitness: ``loss``, minus the task's loss on the search-validation images, or its primary ``metric``.
        at_chance: what follows where none of the supernet's probes is above chance: ``draw`` one network blindly, or
            ``search`` all the same.
    """

    population: int = Field(default=50, gt=0)
    parents: int = Field(default=10, gt=0)
    generations: int = Field(default=20, gt=0)
    crossover: int = Field(default=25, ge=0)
    mutation: int = Field(default=25, ge=0)
    probability: float = Field(default=0.1, gt=0, le=1)
    calibration_images: int = Field(default=4096, gt=0)
    calibration_batch: int = Field(default=256, gt=1)
    evaluation_batch: int = Field(default=256, gt=0)
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


class Recipe(Strict):
    """One way to train. A change of meaning of a preset raises its ``version``.

    Args:
        resolution: side of the training and test images; None leaves it to the data set and the space.
        epochs: training from scratch; ``finetune_epochs`` is for the best child, which starts from supernet weights.
        batch: images per step, over all processes together.
        warmup_epochs: linear rise of the learning rate from ``warmup_lr``, then a cosine down to ``min_lr``.
        ema: decay of an exponential moving average of the weights; when set, the averaged weights are the result.
        drop_path: probability in the last block, growing linearly with depth; supernets train without.
        precision: number format of forward passes; ``auto`` is decided when cells are planned, see
            ``training.precision``, and ``precision_reason`` then says why.
        channels_last: memory order of the images, which changes only the speed; None leaves it to the network.
        weight_decay_on_norm: whether weight decay also acts on biases, norm parameters and other vectors.
        fidelity: ``quick`` for a first look, which says so wherever its results are shown.
        validate_every: after every so many epochs a network's primary metric on validation images is noted in its
            history; 0 is never. It changes no result.
        latency: whether a final network is also timed, one image in float32, while whatever runs beside it runs.
    """

    name: str = "custom"
    version: int = Field(default=1, gt=0)
    resolution: int | None = Field(default=None, gt=0)
    epochs: int = Field(gt=0)
    finetune_epochs: int = Field(default=0, ge=0)
    finetune_lr_scale: float = Field(default=0.1, gt=0)
    batch: int = Field(gt=0)
    optimizer: Optimizer
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_epochs: float = Field(default=0, ge=0)
    warmup_lr: float = Field(default=0.0, ge=0)
    min_lr: float = Field(default=0.0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    clip_norm: float | None = Field(default=None, gt=0)
    clip_value: float | None = Field(default=None, gt=0)
    ema: float | None = Field(default=None, gt=0, lt=1)
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    weight_decay_on_norm: bool = True
    precision: Precision = "float32"
    precision_reason: str = ""
    channels_last: bool | None = None
    fidelity: Literal["quick", "full"] = "full"
    latency: bool = False
    validate_every: int = Field(default=0, ge=0)
    augment: Augment = Augment()
    supernet: SupernetRecipe
    search: SearchRecipe = SearchRecipe()

    @model_validator(mode="after")
    def _one_clip(self) -> Self:
        for part in (self, self.supernet):
            if part.clip_norm is not None and part.clip_value is not None:
                raise ValueError("clip_norm and clip_value exclude each other; set one to null")
        return self

    @property
    def peak_lr(self) -> float:
        """The learning rate after the warm-up, for this recipe's batch."""
        scale = self.batch / self.optimizer.lr_per if self.optimizer.lr_per else 1.0
        return self.optimizer.lr * scale

    def key_fields(self, without: Collection[str] = ()) -> JsonObject:
        """All that changes a result, for a key. ``without`` drops parts a phase does not use, e.g. ("search",)."""
        fields = self.model_dump(mode="json", exclude=_NOT_IN_KEY)
        return {name: value for name, value in fields.items() if name not in without}

    @cached_property
    def canonical(self) -> str:
        """Its key fields as canonical JSON, made once for all cells of a suite."""
        return canonical(self.key_fields())

    def scaled(self, epochs: int) -> "Recipe":
        """The same recipe for another number of epochs; warm-up, fine-tuning and supernet change in proportion."""
        factor = epochs / self.epochs
        supernet = self.supernet.model_copy(
            update={
                "epochs": max(1, round(self.supernet.epochs * factor)),
                "warmup_epochs": self.supernet.warmup_epochs * factor,
            }
        )
        return self.model_copy(
            update={
                "name": _variant(self.name),
                "epochs": epochs,
                "finetune_epochs": round(self.finetune_epochs * factor),
                "warmup_epochs": self.warmup_epochs * factor,
                "supernet": supernet,
            }
        )

    def for_supernet(self) -> "Recipe":
        """This recipe with the supernet's epochs, warm-up, learning rate and clipping, as the loop takes it."""
        part = self.supernet
        return self.model_copy(
            update={
                "epochs": part.epochs,
                "warmup_epochs": part.warmup_epochs,
                "optimizer": self.optimizer.model_copy(update={"lr": self.optimizer.lr * part.lr_scale}),
                "clip_norm": part.clip_norm,
                "clip_value": part.clip_value,
            }
        )

    def for_finetuning(self) -> "Recipe":
        """This recipe for a child that starts from supernet weights: fewer epochs, lower rate, no warm-up."""
        if not self.finetune_epochs:
            raise UsageError(f'recipe "{self.name}" has no fine-tuning: its finetune_epochs is 0.')
        optimizer = self.optimizer.model_copy(update={"lr": self.optimizer.lr * self.finetune_lr_scale})
        return self.model_copy(update={"epochs": self.finetune_epochs, "warmup_epochs": 0.0, "optimizer": optimizer})


# Digits or other small pictures on a CPU, networks of 1 to 30 M MACs.
QUICK = Recipe(
    name="quick",
    fidelity="quick",
    epochs=15,
    finetune_epochs=3,
    batch=64,
    optimizer=Optimizer(name="adamw", lr=0.01, lr_per=64, weight_decay=0.05),
    warmup_epochs=1,
    label_smoothing=0.1,
    clip_norm=1.0,
    weight_decay_on_norm=False,
    augment=Augment(crop="pad"),
    latency=True,
    supernet=SupernetRecipe(epochs=15, warmup_epochs=1, clip_norm=1.0),
    search=SearchRecipe(
        population=16,
        parents=6,
        generations=5,
        crossover=6,
        mutation=6,
        probability=0.2,
        calibration_images=256,
        calibration_batch=128,
    ),
)

# Photographs in sets of 1 to 20 thousand, from scratch.
SMALL = Recipe(
    name="small",
    epochs=150,
    finetune_epochs=20,
    batch=128,
    optimizer=Optimizer(name="adamw", lr=1e-3, lr_per=128, weight_decay=0.05),
    warmup_epochs=10,
    min_lr=1e-5,
    label_smoothing=0.1,
    clip_norm=1.0,
    drop_path=0.1,
    weight_decay_on_norm=False,
    augment=Augment(min_area=0.25, randaugment=(2, 9), mixup=0.2, erase=0.1),
    latency=True,
    supernet=SupernetRecipe(epochs=150, warmup_epochs=10, clip_norm=1.0),
    search=SearchRecipe(calibration_images=2048, calibration_batch=128),
)

# The 130 epochs that local and axial attention networks were published with: 0.1 per 256 images, weight decay on all
# parameters. Label smoothing and the supernet's clipping by value are ours; the papers state none or do not say.
IMAGENET_130 = Recipe(
    name="imagenet-130",
    resolution=224,
    epochs=130,
    finetune_epochs=25,
    batch=1024,
    optimizer=Optimizer(name="sgd", lr=0.1, lr_per=256, weight_decay=8e-5),
    warmup_epochs=10,
    label_smoothing=0.1,
    precision="bf16",
    channels_last=True,
    latency=True,
    supernet=SupernetRecipe(epochs=130, warmup_epochs=10, clip_value=1.0),
    search=SearchRecipe(calibration_images=8192),
)

# DeiT's recipe as GLiT's code runs it (its clip of 1.0 included), without the three-fold repetition of each image.
# Each of GLiT's two supernets takes half of the 200 epochs reported for its search (what they count is unknown).
DEIT = Recipe(
    name="deit",
    version=2,
    resolution=224,
    epochs=300,
    finetune_epochs=30,
    batch=1024,
    optimizer=Optimizer(name="adamw", lr=5e-4, lr_per=512, weight_decay=0.05),
    warmup_epochs=5,
    warmup_lr=1e-6,
    min_lr=1e-5,
    label_smoothing=0.1,
    clip_norm=1.0,
    drop_path=0.1,
    weight_decay_on_norm=False,
    precision="bf16",
    augment=Augment(colour_jitter=0.4, randaugment=(2, 9), mixup=0.8, cutmix=1.0, erase=0.25),
    latency=True,
    supernet=SupernetRecipe(epochs=100, warmup_epochs=5, clip_norm=1.0),
    search=SearchRecipe(calibration_images=8192),
)

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in (QUICK, SMALL, IMAGENET_130, DEIT)}


def list_recipes() -> list[str]:
    """Names of the presets."""
    return list(RECIPES)


def resolve_recipe(value: "str | Mapping[str, Any] | Recipe") -> Recipe:
    """A recipe from a preset's name, or from a mapping: ``{base: NAME, ...changes}``, or written out in full.

    RecipeError, with the nearest name, for a preset or key that does not exist, and for a value that does not fit.
    """
    if isinstance(value, Recipe):
        return value
    if isinstance(value, str):
        if value not in RECIPES:
            raise RecipeError(f'unknown recipe "{value}"; {nearest(value, list_recipes())}')
        return RECIPES[value]
    changes = {key: item for key, item in value.items() if key != "base"}
    start: JsonObject = {}
    if "base" in value:
        base = resolve_recipe(value["base"])
        start = base.model_dump()
        if changes:
            start["name"] = _variant(base.name)
    try:
        return Recipe.model_validate(_merged(start, changes))
    except ValidationError as error:
        raise _explained(error) from None


def _variant(name: str) -> str:
    return name if name.endswith("-variant") else f"{name}-variant"


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> JsonObject:
    """``base`` with ``changes`` laid over it; mappings are merged key by key, anything else is replaced."""
    merged = dict(base)
    for key, change in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, change) if isinstance(old, Mapping) and isinstance(change, Mapping) else change
    return merged


def _explained(error: ValidationError) -> RecipeError:
    """The first fault of a recipe in one sentence."""
    fault = error.errors(include_url=False)[0]
    path = tuple(str(part) for part in fault["loc"])
    where = ".".join(("recipe", *path[:-1]))
    if fault["type"] == "extra_forbidden":
        hint = nearest(path[-1], _keys_at(path[:-1]))
        return RecipeError(f'unknown key "{path[-1]}" in {where}; {hint}', path)
    if fault["type"] == "missing":
        return RecipeError(
            f'{where} has no "{path[-1]}"; give it, or start from a preset with "base: {list_recipes()[0]}".', path
        )
    place = ".".join(("recipe", *path))
    wanted = "should be a mapping" if fault["type"] == "model_type" else fault["msg"].removeprefix("Value error, ")
    given = "" if isinstance(fault["input"], Mapping | BaseModel) else f", not {fault['input']!r}"
    return RecipeError(f"{place}: {wanted}{given}.", path)


def _keys_at(path: tuple[str, ...]) -> list[str]:
    """The keys that a mapping at ``path`` in a recipe may have."""
    model: type[BaseModel] = Recipe
    for part in path:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return [*model.model_fields, "base"] if model is Recipe else list(model.model_fields)
