"""A suite made from a data set alone: resolution, space, budget and epochs follow from the data, each with a reason.

All rules are our choice. The quick setting is for a first look on a CPU: about ``QUICK_STEPS`` training steps a network
in small batches, since many small steps teach more than few large ones of equal cost. The full setting is the
recipe for small sets with its number of epochs.
"""

import math
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import yaml

from trionet_bench.data.index import Index
from trionet_bench.data.sources.opening import open_source
from trionet_bench.data.sources.uri import as_uri, relative_uri
from trionet_bench.errors import UsageError, nearest
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.layout import format_budget
from trionet_bench.search.budget import cheapest
from trionet_bench.spaces.choice import Genes, Space
from trionet_bench.spaces.operators import operators_for
from trionet_bench.spaces.presets import RESNET_IMAGENET, RESNET_NANO, RESNET_TINY, resolve_space, space_for
from trionet_bench.spaces.resnet import TRIO
from trionet_bench.suite.changes import Changes, changed
from trionet_bench.suite.specification import suite_of
from trionet_bench.suite.yaml12 import Document
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.training.recipe import resolve_recipe
from trionet_bench.units import counted

DIGEST_SHOWN = 8  # digits of a fingerprint in the name of a study
SEEDS = 5
QUICK_STEPS = 800
QUICK_BATCH = 32
QUICK_CROPS = 24  # epochs; with fewer, images are seen too rarely for random crops to help
QUICK_SUPERNET = 1 / 2  # epochs of the supernet over those of a network
QUICK_TRANSFORMER_LR = 0.004  # of AdamW for transformers; the quick recipe has 0.01
QUICK_IMAGES = 6_000  # train images used of a large set: about 4 epochs in QUICK_STEPS
QUICK_RESOLUTION = 32  # 48 or 64 pixels take longer and are learnt no better in QUICK_STEPS
QUICK_STEMS = {16: "conv3", 32: "conv3-pool", 48: "conv7-pool"}  # the first stage then sees 12x12 or 16x16 positions
_SEARCHED: dict[str, JsonObject] = {
    "trionet": {"system": "trionet"},
    "random": {"system": "trionet", "search": "random"},
    "glit": {"system": "glit", "retrain": 2},
}


@dataclass(frozen=True)
class CompareOptions:
    """Requested content of the suite; None where it follows from the data."""

    models: tuple[str, ...] = (*TRIO, "trionet")
    budget: int | None = None
    seeds: int | None = None
    epochs: int | None = None
    resolution: int | None = None
    recipe: str | None = None
    quick: bool = True
    name: str | None = None

    @property
    def quick_recipe(self) -> bool:
        """Whether the recipe is the quick one."""
        return self.quick and not self.recipe


@dataclass(frozen=True)
class Proposal:
    """The content of a suite file, with one line of reason for each choice in it.

    The name of a study that was given none has the first digits of the data's fingerprint, so that two data sets of one
    folder name are two studies.
    """

    name: str
    content: JsonObject
    reasons: tuple[str, ...]

    def changed(self, settings: tuple[str, ...]) -> Self:
        """The proposal with other values, as of ``Changes``; UsageError where the suite would have a fault."""
        if not settings:
            return self
        document = changed(Document(self.content, Path(f"{self.name}.yaml"), "", {}), Changes(settings=settings))
        suite_of(document)
        reasons = tuple(f"{setting}: as asked" for setting in settings)
        return replace(self, content={**document.value, "name": self.name}, reasons=(*self.reasons, *reasons))

    @property
    def text(self) -> str:
        """The text of the suite file, which starts with the reasons as comments."""
        head = "".join(f"# {reason}\n" for reason in self.reasons)
        return head + yaml.safe_dump(self.content, sort_keys=False, default_flow_style=None, width=120)


def _models() -> dict[str, JsonObject]:
    """The entries of all models that may be requested: every operator alone, and the searched mixes."""
    alone: dict[str, JsonObject] = {}
    for spec in operators_for(RESNET_NANO.kind):
        alone[spec.name] = {"system": "standalone", "operator": spec.name}
        if spec.name not in TRIO:
            alone[spec.name] |= {"space": {"operators": [spec.name]}}  # no named space holds it
    return alone | _SEARCHED


def propose(data: str, options: CompareOptions, folder: Path, data_root: Path | None = None) -> Proposal:
    """A suite that compares ``options.models`` on ``data``; its file will lie in ``folder``, for relative paths."""
    known = _models()
    for model in options.models:
        if model not in known:
            raise UsageError(f'unknown model "{model}"; {nearest(model, list(known))}')
    uri = as_uri(data)
    index = open_source(uri, data_root)
    reasons = [
        f"{index.uri}: {', '.join(f'{n} {part}' for part, n in index.counts.items())} images of "
        f"{len(index.classes)} classes, {index.native_size} pixels"
    ]
    train_images = _train_images(index, options, reasons)
    resolution = _resolution(index, options, reasons)
    space = _space(resolution, options, reasons)
    budget = _budget(resolve_space(space), index, resolution, options, reasons)
    recipe = _recipe(train_images or index.counts["train"], options, reasons)
    seeds = options.seeds or SEEDS
    reasons.append(f"seeds {seeds}: {'as asked' if options.seeds else 'three leave wide intervals, two hardly any'}")
    label = re.sub(r"[^A-Za-z0-9]+", "-", index.name).strip("-").lower() or "data"
    name = options.name or f"compare-{label}-{index.fingerprint[:DIGEST_SHOWN]}"
    dataset = re.sub(r"[^A-Za-z0-9_]+", "_", index.name).strip("_").lower() or "data"
    baseline = options.models[0]
    content: JsonObject = {
        "schema": 1,
        "name": name,
        "title": f"Which operator belongs where? {index.name}, networks under {format_budget(budget)} MACs",
        "datasets": {
            dataset: {
                "source": relative_uri(uri, folder),
                "resolution": resolution,
                **({"train_images": train_images} if train_images else {}),
            }
        },
        "space": space,
        "recipe": recipe,
        "budgets": [format_budget(budget)],
        "models": {model: _entry(model, recipe, options, reasons) for model in options.models},
        "seeds": list(range(seeds)),
    }
    if len(options.models) > 1:
        candidates = list(options.models[1:])
        content["comparisons"] = [{"baseline": baseline, "candidates": candidates, "margin": 1.0}]
    return Proposal(name, content, tuple(reasons))


def _train_images(index: Index, options: CompareOptions, reasons: list[str]) -> int | None:
    if not options.quick_recipe or options.epochs or index.counts["train"] <= 2 * QUICK_IMAGES:
        return None
    reasons.append(f"train_images {QUICK_IMAGES:,}: quick; a part of train, drawn by class, that is seen several times")
    return QUICK_IMAGES


def _resolution(index: Index, options: CompareOptions, reasons: list[str]) -> int:
    if options.resolution:
        reasons.append(f"resolution {options.resolution}: as asked")
        return options.resolution
    side = index.native_size
    fitting = next((choice for choice in (16, 32, 64, 96) if side <= choice * 1.25), 224 if side >= 300 else 96)
    if options.quick and fitting > QUICK_RESOLUTION:
        reasons.append(f"resolution {QUICK_RESOLUTION}: quick; the images would be worth {fitting}")
        return QUICK_RESOLUTION
    reasons.append(f"resolution {fitting}: the nearest working size to the images' own")
    return fitting


def _space(resolution: int, options: CompareOptions, reasons: list[str]) -> str | JsonObject:
    """The ``space`` of the suite file."""
    if options.quick and resolution in QUICK_STEMS:
        stem = QUICK_STEMS[resolution]
        reasons.append(f"space resnet-nano with stem {stem}: quick; its first stage sees few positions")
        return RESNET_NANO.name if stem == RESNET_NANO.stem else {"base": RESNET_NANO.name, "stem": stem}
    space = RESNET_NANO if resolution <= 40 else RESNET_TINY if resolution <= 128 else RESNET_IMAGENET
    reasons.append(f"space {space.name}: made for images of this size")
    return space.name


def _budget(space: Space, index: Index, resolution: int, options: CompareOptions, reasons: list[str]) -> int:
    if options.budget:
        reasons.append(f"budget {format_budget(options.budget)}: as asked")
        return options.budget
    from trionet_bench.networks.skeletons import architecture_macs  # torch loads only where MACs must be known

    def macs(of: Space, genes: Genes) -> int:
        return architecture_macs(of.decode(genes), len(index.classes), index.channels, resolution)

    asked = [spec.name for spec in operators_for(space.kind) if spec.name in options.models]
    every = space.with_dimensions(operators=[*dict.fromkeys((*space.operators, *asked))])
    smallest = max(
        macs(every, every.extreme(every.operators_set_to(operator), biggest=False)) for operator in every.operators
    )
    why = "the smallest network of the most expensive operator"
    systems = [SYSTEMS.get(_models()[name]["system"]) for name in options.models]
    kinds = {system.space_kind or space.kind for system in systems}
    for other in (space_for(kind, resolution) for kind in sorted(kinds - {space.kind})):
        least = macs(other, cheapest(other, partial(macs, other)))
        if least > smallest:
            smallest, why = least, f"the smallest network of {other.name}"
    factor = 2 if options.quick else 4
    unit: int = 10 ** (int(math.log10(smallest * factor)) - 1)
    budget = math.ceil(smallest * factor / unit) * unit
    reasons.append(f"budget {format_budget(budget)} MACs: {factor} times {why}")
    return budget


def _recipe(train_images: int, options: CompareOptions, reasons: list[str]) -> str | JsonObject:
    name = options.recipe or ("quick" if options.quick else "small")
    if options.epochs is None and not options.quick_recipe:
        reasons.append(f"recipe {name}, with its own number of epochs")
        return name
    quick = options.quick_recipe
    recipe = resolve_recipe({"base": name, "batch": QUICK_BATCH} if quick else name)
    steps = max(1, train_images // recipe.batch)
    epochs = options.epochs or max(1, round(QUICK_STEPS / steps))
    why = "as asked" if options.epochs else f"about {QUICK_STEPS} steps of {recipe.batch} images"
    reasons.append(f"recipe {name}, {counted(epochs, 'epoch')}: {why}")
    scaled = recipe.scaled(epochs)
    content = {
        "base": name,
        "epochs": epochs,
        "warmup_epochs": round(scaled.warmup_epochs, 2),
        "finetune_epochs": scaled.finetune_epochs,
        "supernet": {"epochs": scaled.supernet.epochs, "warmup_epochs": round(scaled.supernet.warmup_epochs, 2)},
    }
    if not quick:
        return content
    length = math.ceil(epochs * QUICK_SUPERNET)
    supernet = {"epochs": length, "warmup_epochs": 0.5, "random_children": 1}
    reasons.append(f"supernet {counted(length, 'epoch')}, one random child a step: quick; it is most of the time")
    if epochs < QUICK_CROPS:
        reasons.append("no random crops: in so few epochs whole images teach more")
        content |= {"augment": {"crop": "none"}}
    return content | {"batch": QUICK_BATCH, "supernet": supernet}


def _entry(model: str, recipe: str | JsonObject, options: CompareOptions, reasons: list[str]) -> JsonObject:
    """The entry of a model in the suite file."""
    entry = _models()[model]
    if entry["system"] != "glit" or not isinstance(recipe, dict) or not options.quick_recipe:
        return entry
    reasons.append(f"{model} with learning rate {QUICK_TRANSFORMER_LR}: transformers do not learn well at the others'")
    return {**entry, "recipe": {**recipe, "optimizer": {"lr": QUICK_TRANSFORMER_LR}}}
