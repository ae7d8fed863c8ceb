"""How networks are trained, as plain values: frozen recipes, checked when made, with named and versioned presets.

A recipe says everything about training that changes a result, for a network trained from scratch, for a supernet and
for the search in it. This module does not import torch, so that plans and keys are made without it.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from trionet_bench.errors import UsageError, nearest
from trionet_bench.jsontypes import JsonObject
from trionet_bench.limits import MOST_PIXELS, MOST_STEPS, shown
from trionet_bench.records.store import canonical
from trionet_bench.records.values import Strict
from trionet_bench.training.recipe_parts import Augment, Optimizer, Precision, SearchRecipe, SupernetRecipe

# These change a result in its last bits at most, and do not enter a cell's key. Neither does what is for people.
_NOT_IN_KEY: Any = {
    **dict.fromkeys(("name", "channels_last", "latency", "validate_every", "precision_reason", "fidelity"), True),
    "search": {"evaluation_batch"},
}


class RecipeError(UsageError):
    """A wrong recipe. ``path`` leads to the offending key, for a message that names file and line."""

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


class Recipe(Strict):
    """One way to train. A change of meaning of a preset raises its ``version``.

    Args:
        resolution: side of the training and test images; None leaves it to the data set and the space.
        name: for people; enters no key.
        version: of a preset.
        epochs: training from scratch.
        finetune_epochs: of the best child, which starts from supernet weights.
        finetune_lr_scale: multiplies the learning rate meanwhile.
        batch: images per step, over all processes together.
        optimizer: see there.
        schedule: of the learning rate after the warm-up: a cosine down to ``min_lr``, or constant.
        warmup_epochs: linear rise of the learning rate from ``warmup_lr``.
        warmup_lr, min_lr: first and last learning rate.
        label_smoothing: share of the target that is spread over all classes.
        clip_norm, clip_value: of gradients, all together or each; one of them at most.
        ema: decay of an exponential moving average of the weights; when set, the averaged weights are the result.
        drop_path: probability in the last block, growing linearly with depth; supernets train without.
        precision: number format of forward passes; ``auto`` is decided when cells are planned, see
            ``training.precision``, and ``precision_reason`` then says why.
        channels_last: memory order of the images, which changes speed and last bits; None leaves it to the network.
        weight_decay_on_norm: whether weight decay also acts on biases, norm parameters and other vectors.
        fidelity: ``quick`` for a first look, which says so wherever its results are shown.
        augment, supernet, search: see there.
        validate_every: after every so many epochs a network's primary metric on validation images is noted in its
            history; 0 is never. It changes no result.
        latency: whether a final network is also timed, one image in float32, while whatever runs beside it runs.
    """

    name: str = "custom"
    version: int = Field(default=1, gt=0)
    resolution: int | None = Field(default=None, gt=0, le=MOST_PIXELS)
    epochs: int = Field(gt=0, le=MOST_STEPS)
    finetune_epochs: int = Field(default=0, ge=0, le=MOST_STEPS)
    finetune_lr_scale: float = Field(default=0.1, gt=0)
    batch: int = Field(gt=0, le=MOST_STEPS)
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
    validate_every: int = Field(default=0, ge=0, le=MOST_STEPS)
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
        if self.augment.erase:
            fields["erasing"] = 2  # 1: its draw was that of the crop, so that small crops were erased
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

# Fine-tuning on photographs of kinds that are hard to tell apart, at twice the side of ImageNet's images. In the range
# of what papers print for weights from ImageNet (TransFG, arXiv 2103.07976: SGD, 448 pixels, cosine); numbers are ours.
FINE_GRAINED = Recipe(
    name="fine-grained",
    resolution=448,
    epochs=60,
    finetune_epochs=10,
    batch=64,
    optimizer=Optimizer(name="sgd", lr=0.01, lr_per=64, weight_decay=1e-4),
    warmup_epochs=3,
    label_smoothing=0.1,
    clip_norm=1.0,
    precision="bf16",
    augment=Augment(min_area=0.25),
    latency=True,
    supernet=SupernetRecipe(epochs=60, warmup_epochs=3, clip_norm=1.0),
    search=SearchRecipe(calibration_images=2048, calibration_batch=64),
)

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in (QUICK, SMALL, IMAGENET_130, DEIT, FINE_GRAINED)}


def list_recipes() -> list[str]:
    """Names of the presets."""
    return list(RECIPES)


def resolve_recipe(value: "str | Mapping[str, Any] | Recipe") -> Recipe:
    """A recipe from a preset's name, or from a mapping: ``{base: NAME, ...changes}``, or written out in full.

    RecipeError, with the nearest name, for a preset or key that does not exist, and for a value that does not fit.
    """
    if isinstance(value, Recipe):
        return value
    if not isinstance(value, str | Mapping):
        raise RecipeError(f"a recipe is a name or a mapping, not {shown(value)}.")
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
        same = [f'"{place}"' for place in _places_of(path[-1])]
        hint = f"did you mean {' or '.join(same)}?" if same else nearest(path[-1], _keys_at(path[:-1]))
        return RecipeError(f'unknown key "{path[-1]}" in {where}; {hint}', path)
    if fault["type"] == "missing":
        return RecipeError(
            f'{where} has no "{path[-1]}"; give it, or start from a preset with "base: {list_recipes()[0]}".', path
        )
    place = ".".join(("recipe", *path))
    wanted = "should be a mapping" if fault["type"] == "model_type" else fault["msg"].removeprefix("Value error, ")
    given = "" if isinstance(fault["input"], Mapping | BaseModel) else f", not {shown(fault['input'])}"
    return RecipeError(f"{place}: {wanted}{given}.", path)


def _places_of(key: str, model: type[BaseModel] | None = None, where: str = "recipe") -> Iterator[str]:
    """Where in a recipe a key of this name stands, such as recipe.optimizer.lr."""
    for name, field in (model or Recipe).model_fields.items():
        if name == key:
            yield f"{where}.{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _places_of(key, field.annotation, f"{where}.{name}")


def _keys_at(path: tuple[str, ...]) -> list[str]:
    """The keys that a mapping at ``path`` in a recipe may have."""
    model: type[BaseModel] = Recipe
    for part in path:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return [*model.model_fields, "base"] if model is Recipe else list(model.model_fields)
