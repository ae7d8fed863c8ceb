"""A suite changed for one run: `--seeds`, `--epochs`, `--set KEY=VALUE`, `--name`.

A change is laid into the document of the suite before that is checked, so that a wrong key or value is refused as in a
file, with the option in place of file and line. A changed suite is another study and gets a name of its own, unless one
is given; only more seeds go on with the study as it is, since all its cells are among those that are then wanted.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from trionet_bench.data.digest import sha256
from trionet_bench.errors import UsageError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.suite.specification import Suite, read_document, suite_of
from trionet_bench.suite.validation import dotted
from trionet_bench.suite.yaml12 import Document, Origin, Place, read_value
from trionet_bench.training.recipe import RecipeError, resolve_recipe

_NAMED = ("datasets", "models")  # mappings whose keys are names, which may contain dots
_SHORT_FORMS = {"recipe": "base", "space": "base", "task": "name"}  # what a name alone stands for as a mapping
_OF_LENGTH = ("epochs", "warmup_epochs", "finetune_epochs", "supernet")  # of a recipe
_LONGEST_SUFFIX = 60


@dataclass(frozen=True)
class Changes:
    """What a run wants otherwise than its suite says.

    Args:
        seeds: how many: the first of the suite, then those that follow its last.
        epochs: of every recipe in the suite; warm-up, fine-tuning and supernets change in proportion.
        settings: ``KEY=VALUE`` each, such as ``recipe.optimizer.lr=1e-3``; the key is a path in the suite file, the
            value is YAML.
        name: of the study.
    """

    seeds: int | None = None
    epochs: int | None = None
    settings: tuple[str, ...] = ()
    name: str | None = None

    def __bool__(self) -> bool:
        return self != Changes()


def as_settings(values: Mapping[str, object] | None) -> tuple[str, ...]:
    """Values by the path of each, as ``Changes.settings``."""
    return tuple(f"{key}={json.dumps(value)}" for key, value in (values or {}).items())


def load_changed(name: str | Path, changes: Changes) -> Suite:
    """The suite of that name or in that file, changed; UsageError for the first fault in it or in a change."""
    return suite_of(changed(read_document(name), changes))


def changed(document: Document, changes: Changes) -> Document:
    """The document of a suite with changes laid into it, and a text that says all of it."""
    if not changes:
        return document
    before = document
    for setting in changes.settings:
        document = _with_setting(document, setting)
    if changes.epochs is not None:
        document = _with_epochs(document, changes.epochs)
    if changes.seeds is not None:
        document = _with(document, ("seeds",), _seeds(document, changes.seeds), f"--seeds {changes.seeds}")
    document = _with(
        document, ("name",), changes.name or _name(before, changes), f"--name {changes.name or ''}".strip()
    )
    return replace(document, text=_text(before, document, changes))


def _with(document: Document, place: Place, value: Any, option: str) -> Document:
    """The document with another value at ``place``; mappings on the way there are copied, missing ones are made."""
    here = Origin(option, Path())  # a path on the command line is relative to where that is written
    origins = {at: origin for at, origin in document.origins.items() if at[: len(place)] != place}
    top: JsonObject = dict(document.value)
    part: JsonObject = top
    for depth, key in enumerate(place[:-1], start=1):
        inner = part.get(str(key), {})
        if isinstance(inner, str) and key in _SHORT_FORMS:
            inner = {_SHORT_FORMS[str(key)]: inner}
        if not isinstance(inner, dict):
            raise UsageError(f"{option}: {dotted(place[:depth])} is {inner!r}, which has nothing below it.")
        part[str(key)] = dict(inner)
        part = part[str(key)]
        origins.setdefault(place[:depth], here)
    part[str(place[-1])] = value
    return replace(document, value=top, origins={**origins, place: here})


def _with_setting(document: Document, setting: str) -> Document:
    option = f"--set {setting}"
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"{option}: write KEY=VALUE, for example recipe.optimizer.lr=1e-3.")
    try:
        value = read_value(text.strip())
    except UsageError as error:
        raise UsageError(f"{option}: {str(error).partition(': ')[2]}") from None
    return _with(document, _place(document, key.strip()), value, option)


def _place(document: Document, key: str) -> Place:
    """The path that a key with dots means; names of data sets and models are matched as a whole."""
    first, _, rest = key.partition(".")
    names = document.value.get(first)
    if first in _NAMED and isinstance(names, dict):
        fitting = [name for name in names if rest == name or rest.startswith(f"{name}.")]
        if fitting:
            name = max(fitting, key=len)
            return (first, name, *filter(None, rest[len(name) + 1 :].split(".")))
    return tuple(key.split("."))


def _with_epochs(document: Document, epochs: int) -> Document:
    """Every recipe of the suite, its data sets and models, scaled to a number of epochs."""
    option = f"--epochs {epochs}"
    suite_recipe = document.value.get("recipe")
    document = _scaled_at(document, ("recipe",), suite_recipe, epochs, option)
    for owner in _NAMED:
        entries = document.value.get(owner)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            own = entry.get("recipe") if isinstance(entry, dict) else None
            if isinstance(own, dict) and "base" not in own and not any(key in own for key in _OF_LENGTH):
                continue  # it says nothing of length, and follows the suite's
            base = {"base": suite_recipe, **own} if isinstance(own, dict) else own
            document = _scaled_at(document, (owner, name, "recipe"), base, epochs, option)
    return document


def _scaled_at(document: Document, place: Place, value: Any, epochs: int, option: str) -> Document:
    """The document with the recipe at ``place``, which resolves as ``value`` does, scaled."""
    if not isinstance(value, str | dict):
        return document  # none, or a fault that the check of the suite names
    try:
        recipe = resolve_recipe(value).scaled(epochs)
    except RecipeError:
        return document  # likewise
    lengths = {
        "epochs": epochs,
        "warmup_epochs": recipe.warmup_epochs,
        "finetune_epochs": recipe.finetune_epochs,
        "supernet.epochs": recipe.supernet.epochs,
        "supernet.warmup_epochs": recipe.supernet.warmup_epochs,
    }
    for key, length in lengths.items():
        document = _with(document, (*place, *key.split(".")), length, option)
    return document


def _seeds(document: Document, count: int) -> list[int]:
    """The first ``count`` seeds that a suite lists, continued by the numbers after its largest."""
    declared = document.value.get("seeds")
    known = [seed for seed in declared if isinstance(seed, int)] if isinstance(declared, list) else []
    after = max(known, default=-1) + 1
    return [*known, *range(after, after + max(0, count - len(known)))][:count]


def _name(before: Document, changes: Changes) -> str:
    """The name of a changed study that was given none: its own where it only gets more seeds."""
    seeds, own = before.value.get("seeds"), str(before.value.get("name"))
    parts = [setting.replace("=", "-") for setting in changes.settings]
    if changes.epochs is not None:
        parts.append(f"epochs-{changes.epochs}")
    if changes.seeds is not None and isinstance(seeds, list) and changes.seeds < len(seeds):
        parts.append(f"seeds-{changes.seeds}")
    suffix = "-".join(re.sub(r"[^A-Za-z0-9._]+", "-", part).strip("-") for part in parts)
    if len(suffix) > _LONGEST_SUFFIX:
        suffix = sha256(repr(parts))[:8]
    return f"{own}-{suffix}" if parts else own


def _text(before: Document, after: Document, changes: Changes) -> str:
    options = [f"--set {setting}" for setting in changes.settings]
    options += [f"--epochs {changes.epochs}"] if changes.epochs is not None else []
    options += [f"--seeds {changes.seeds}"] if changes.seeds is not None else []
    options += [f"--name {changes.name}"] if changes.name is not None else []
    head = f"# {before.value.get('name')}, changed by {' '.join(options)}\n"
    return head + yaml.safe_dump(after.value, sort_keys=False, default_flow_style=None, width=120)
