"""Which records may stand in one table: equal images and task of a data set, equal recipe and options of a model."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from trionet_bench.errors import UsageError
from trionet_bench.jsontypes import JsonObject

CELL = ["dataset", "budget", "model", "seed"]  # what names a cell in a report, whichever suite it is from

# These change the speed of training, its label or what is measured besides, not its outcome.
_SPEED_ONLY = {"name", "channels_last", "search.evaluation_batch", "fidelity", "latency"}


def drop_duplicates(cells: pd.DataFrame) -> pd.DataFrame:
    """One row per cell; UsageError where two records of one cell were made from different settings."""
    twice = cells[cells.duplicated(CELL, keep=False)]
    for cell, group in twice.groupby(CELL, sort=True):
        if group.key.nunique() > 1:
            dataset, budget, model, seed = cell
            first, second = group.iloc[0], group.iloc[1]
            why = _difference(first, second) or "their keys differ"
            raise UsageError(
                f"{dataset}/{model}, budget {budget}, seed {seed} is there twice and not the same: {why} "
                f"({first.folder} and {second.folder}). Report one of them, or rename the model or data set."
            )
    # A finished attempt stands for its cell even if another attempt at the same key failed.
    return cells.sort_values("status", kind="stable").drop_duplicates(CELL).sort_index().reset_index(drop=True)


def check_comparable(cells: pd.DataFrame) -> None:
    """UsageError, naming what differs and where, when records of one data set or model cannot be compared."""
    for dataset, group in cells.groupby("dataset", sort=True):
        _same(group, group.fingerprint, f"data set {dataset}", "its images differ (other fingerprint)")
        _same(group, _like_the_first(group.task), f"data set {dataset}", "its task or that task's options differ")
    for (dataset, model), group in cells.groupby(["dataset", "model"], sort=True):
        _same(group, group.recipe.map(repr), f"model {model} on {dataset}")
        _same(group, group.options.map(repr), f"model {model} on {dataset}")
        _same(group, group.resolution, f"model {model} on {dataset}")
    for dataset, group in cells.groupby("dataset", sort=True):
        _same_recipes_between_suites(str(dataset), group)
    smoky = cells.fidelity == "smoke"
    if smoky.any() and not smoky.all():
        smoke = cells[smoky].iloc[0]
        raise UsageError(
            f"Smoke runs and full runs do not belong in one report; {smoke.folder} is a smoke run. Report them apart."
        )


def _like_the_first(values: pd.Series) -> pd.Series:
    first = values.iloc[0]
    return values.map(lambda value: value == first)


def _same(group: pd.DataFrame, values: pd.Series, what: str, why: str | None = None) -> None:
    if values.nunique(dropna=False) < 2:
        return
    first = group.iloc[0]
    for position in range(1, len(group)):
        second = group.iloc[position]
        reason = why if why and values.iloc[position] != values.iloc[0] else None if why else _difference(first, second)
        if reason:
            raise UsageError(
                f"Cannot compare the records of {what}: {reason} ({first.folder} and {second.folder}). "
                "Report them apart, or run the older ones again."
            )


def _same_recipes_between_suites(dataset: str, group: pd.DataFrame) -> None:
    """A suite may give its models different recipes; two suites are only comparable if they use the same ones."""
    if group.suite.nunique() < 2:
        return
    by_suite = {suite: _distinct(rows) for suite, rows in group.groupby("suite", sort=True)}
    (first_suite, first), *others = by_suite.items()
    for suite, rows in others:
        for row in rows:
            if all(_difference(row, known, ("recipe", "resolution")) for known in first):
                why = _difference(first[0], row, ("recipe", "resolution"))
                raise UsageError(
                    f"Cannot merge suites {first_suite} and {suite} on data set {dataset}: {why}. "
                    "Accuracies under different recipes do not compare; report the suites apart."
                )


def _distinct(rows: pd.DataFrame) -> list[pd.Series]:
    unique: dict[str, pd.Series] = {}
    for _, row in rows.iterrows():
        unique.setdefault(repr((row.recipe, row.resolution)), row)
    return list(unique.values())


def _difference(
    first: pd.Series, second: pd.Series, fields: tuple[str, ...] = ("fingerprint", "recipe", "options", "resolution")
) -> str:
    """What differs between two records in words, at most three fields of it; empty when nothing does."""
    differences: list[str] = []
    for field in fields:
        if field in ("recipe", "options"):
            left, right = _flat(first[field]), _flat(second[field])
            differences += [
                f"{field} {key} is {left.get(key)} against {right.get(key)}"
                for key in sorted({*left, *right} - _SPEED_ONLY)
                if left.get(key) != right.get(key)
            ]
        elif first[field] != second[field] and not (pd.isna(first[field]) and pd.isna(second[field])):
            shown = [str(value)[:12] for value in (first[field], second[field])]
            differences.append(
                f"{'data fingerprint' if field == 'fingerprint' else field} is {shown[0]} against {shown[1]}"
            )
    return ", ".join(differences[:3]) + (" and more" if len(differences) > 3 else "")


def _flat(value: Mapping[str, Any], prefix: str = "") -> JsonObject:
    flat: JsonObject = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            flat |= _flat(item, f"{prefix}{key}.")
        else:
            flat[prefix + key] = item
    return flat
