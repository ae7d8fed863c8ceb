"""Suite files that ``compare`` wrote: a study that was begun is gone on with, and never replaced by another one."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import yaml

from trionet_bench.errors import UsageError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.suite.autosuite import Proposal


def without_collision(proposal: Proposal, folder: Path, named: bool) -> Proposal:
    """The proposal under a name that is free in ``folder``, or that of a study which it repeats or extends.

    More seeds or more models extend a study. With other settings it gets a number behind its name; UsageError where the
    person ``named`` it.
    """
    for number in count(1):
        name = proposal.name if number == 1 else f"{proposal.name}-{number}"
        path = folder / f"{name}.yaml"
        if not path.exists() or _extends(proposal.content, path):
            return replace(proposal, name=name, content={**proposal.content, "name": name})
        if named:
            raise UsageError(f"{path} is the suite of a study with other settings; choose another --name.")
    raise AssertionError("count() does not end")


def _extends(content: JsonObject, path: Path) -> bool:
    """Whether a suite has every cell of the one in a file, under the same settings."""
    try:
        before = yaml.safe_load(path.read_text(encoding="utf-8"))
        return (
            _settings(content) == _settings(before)
            and set(before["seeds"]) <= set(content["seeds"])
            and before["models"].items() <= content["models"].items()
        )
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return False  # it was edited by hand


def _settings(content: JsonObject) -> JsonObject:
    """What two suites must have in common; where the data lie is no part of it."""
    datasets = {
        name: {key: value for key, value in entry.items() if key != "source"}
        for name, entry in content["datasets"].items()
    }
    return {"datasets": datasets, **{key: content[key] for key in ("space", "recipe", "budgets")}}
