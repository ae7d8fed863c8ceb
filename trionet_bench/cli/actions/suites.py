"""Prints the shipped suites, and the content of one suite."""

import json
import math

from trionet_bench.jsontypes import JsonObject
from trionet_bench.suite.specification import Suite, load_suite, shipped_suites
from trionet_bench.terminal import echo


def suite_facts(checked: Suite) -> JsonObject:
    """What a suite compares, and its number of cells."""
    return {
        "title": checked.title,
        "datasets": list(checked.datasets),
        "models": list(checked.models),
        "budgets": list(checked.budgets),
        "seeds": list(checked.seeds),
        "cells": math.prod(map(len, (checked.datasets, checked.models, checked.budgets, checked.seeds))),
    }


def list_shipped(as_json: bool) -> None:
    """Print name, number of cells and title of each shipped suite."""
    rows = [{"name": name, **suite_facts(load_suite(path))} for name, path in shipped_suites().items()]
    if as_json:
        echo(json.dumps({"schema": 1, "suites": rows}))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        echo(f"{row['name']:{width}}  {row['cells']:4} cells  {row['title']}")


def show_suite(suite: str, as_json: bool) -> None:
    """Print the text of a suite, or what it resolves to."""
    checked = load_suite(suite)
    echo(json.dumps({"schema": 1, **_resolved(checked)}) if as_json else checked.document.text.rstrip())


def _resolved(checked: Suite) -> JsonObject:
    """The suite with every name resolved."""
    return {
        "name": checked.name,
        **suite_facts(checked),
        "fidelity": checked.fidelity,
        "datasets": {name: entry.model_dump(mode="json") for name, entry in checked.datasets.items()},
        "models": {
            name: {
                "system": model.system,
                "options": model.options.model_dump(mode="json"),
                "recipe": model.recipe.model_dump(mode="json"),
                "space": model.space_at(model.resolution(None)).to_dict(),
            }
            for name, model in checked.models.items()
        },
        "comparisons": [comparison.model_dump(mode="json") for comparison in checked.comparisons],
    }
