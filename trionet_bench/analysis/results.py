"""Records as data frames: read once, reduced to what tables and figures ask for.

Every frame carries the columns ``CELL``, so that any two can be joined.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trionet_bench.analysis.merging import CELL, check_comparable, drop_duplicates
from trionet_bench.errors import UsageError
from trionet_bench.records.layout import DECLARED
from trionet_bench.records.record import Record
from trionet_bench.records.store import read_record, record_folders
from trionet_bench.spaces.operators import OPERATORS

GROUP = ["dataset", "budget", "model"]
POINT = 0.01  # margins are declared in percentage points, metrics are fractions

# Of each architecture of a correlation; accuracies are on the validation images.
RANKED = [
    "architecture",
    "operators",
    "macs",
    "val_top1",
    "inherited_val_top1",
    "inherited_val_top1_not_recalibrated",
]
_RANKED_FIELDS = ("operators", "macs", "val", "inherited_val", "inherited_val_not_recalibrated")  # as records have them

_LAST = ("random",)


# Source URI, positions in its test part, and the labels they must have -> pixels of each; None where they are not here.
ImageReader = Callable[[str, Sequence[int], Sequence[int]], Sequence[np.ndarray] | None]


@dataclass(frozen=True)
class Comparison:
    """One declared comparison; ``margin`` is in percentage points, None when no equivalence is claimed."""

    metric: str
    baseline: str
    candidates: tuple[str, ...]
    margin: float | None = None


@dataclass(frozen=True)
class Declared:
    """What the suites declared before they ran. ``expected`` has the columns ``CELL`` (and ``key`` where known)."""

    names: tuple[str, ...]
    titles: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    expected: pd.DataFrame
    from_suite: bool = True


@dataclass(frozen=True, eq=False)
class Results:
    """All records of one report. Rows of ``cells`` are records; the other frames hold their parts in long form.

    Equal only to itself, so that what is computed from it can be kept.
    """

    declared: Declared
    cells: pd.DataFrame
    blocks: pd.DataFrame
    priors: pd.DataFrame
    generations: pd.DataFrame
    probes: pd.DataFrame
    operator_macs: pd.DataFrame
    ranked: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*CELL, *RANKED]))
    outside: int = 0
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    images: ImageReader | None = None
    references: Path | None = None

    @property
    def complete(self) -> pd.DataFrame:
        return self.cells[self.cells.status == "complete"]

    @property
    def competitors(self) -> list[str]:
        """Models with networks of their own; others rank architectures for a correlation."""
        return [name for name in self.models if name not in set(self.ranked.model)]

    @property
    def budgets(self) -> list[int]:
        return sorted(self.declared.expected.budget.unique().tolist())

    @property
    def smoke(self) -> bool:
        return bool((self.cells.fidelity == "smoke").any())

    def coverage(self) -> pd.DataFrame:
        """One row per expected cell with its ``status``: complete, failed or missing."""
        known = self.cells[[*CELL, "status", "error"]]
        merged = self.declared.expected[CELL].merge(known, on=CELL, how="left")
        return merged.fillna({"status": "missing", "error": ""})


@dataclass
class _Columns:
    """Rows of every frame while records stream past, so that no more than one record is held."""

    cells: list[dict[str, Any]] = field(default_factory=list)
    blocks: list[tuple[Any, ...]] = field(default_factory=list)
    options: list[dict[str, float]] = field(default_factory=list)
    priors: list[tuple[Any, ...]] = field(default_factory=list)
    generations: list[tuple[Any, ...]] = field(default_factory=list)
    probes: list[tuple[Any, ...]] = field(default_factory=list)
    operator_macs: list[tuple[Any, ...]] = field(default_factory=list)
    ranked: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, record: Record, folder: Path) -> None:
        number = len(self.cells)
        cell = (number, record.dataset, record.budget, record.model, record.seed)
        self.cells.append({"number": number, **_cell_row(record, folder)})
        if record.status != "complete":
            return
        self.blocks += [
            (
                *cell,
                b.stage,
                b.block,
                b.operator,
                b.macs,
                b.share,
                b.resolution,
                b.width,
                b.mid_width,
                b.expansion,
                b.kernel,
                b.window,
                b.heads,
                b.qk,
                b.v,
                b.mlp,
            )
            for b in record.placement
        ]
        self.options += [b.options for b in record.placement]
        self.operator_macs += [(*cell, operator, macs) for operator, macs in record.macs_by_operator.items()]
        self.ranked += [
            (*cell, json.dumps(r.architecture, sort_keys=True), *(getattr(r, name) for name in _RANKED_FIELDS))
            for r in record.ranked
        ]
        if record.search:
            self.priors += [(*cell, p.stage, p.block, p.operator, p.share) for p in record.search.operator_prior]
            self.generations += [
                (*cell, g.level, g.generation, g.evaluations, g.best_fitness, g.best_macs)
                for g in record.search.best_by_generation
            ]
            self.probes += [(*cell, p.level, p.epoch, p.probe, p.fitness) for p in record.search.probes]

    def frames(self) -> dict[str, pd.DataFrame]:
        """The frames of ``Results``; ``number`` says which record a row is from."""
        cell = ["number", *CELL]
        options = ["expansion", "kernel", "window", "heads", "qk", "v", "mlp"]
        place = ["stage", "block", "operator"]
        blocks = pd.DataFrame(
            self.blocks, columns=[*cell, *place, "macs", "share", "resolution", "width", "mid_width", *options]
        )
        return {
            "cells": pd.DataFrame(self.cells),
            "blocks": blocks.join(pd.DataFrame(self.options)),  # a column for each further option of an operator
            "priors": pd.DataFrame(self.priors, columns=[*cell, *place, "share"]),
            "generations": pd.DataFrame(
                self.generations, columns=[*cell, "level", "generation", "evaluations", "best_fitness", "best_macs"]
            ),
            "probes": pd.DataFrame(self.probes, columns=[*cell, "level", "epoch", "probe", "top1"]),
            "operator_macs": pd.DataFrame(self.operator_macs, columns=[*cell, "operator", "macs"]),
            "ranked": pd.DataFrame(self.ranked, columns=[*cell, *RANKED]),
        }


def _cell_row(record: Record, folder: Path) -> dict[str, Any]:
    search, counts = record.search, record.counts
    classes = record.data.get("classes")
    standalone = record.options.get("operator") if record.search is None else None
    return {
        "suite": record.suite,
        "dataset": record.dataset,
        "model": record.model,
        "system": record.system,
        "budget": record.budget,
        "seed": record.seed,
        "status": record.status,
        "fidelity": record.fidelity,
        "error": f"{record.error.type}: {record.error.message}" if record.error else "",
        "key": record.key,
        "folder": folder,
        "operator": standalone if isinstance(standalone, str) else None,
        "operators": "+".join(record.space.get("operators", ())),
        "space": str(record.space.get("name", "")),
        "source": str(record.data.get("source", record.dataset)),
        "fingerprint": str(record.data.get("fingerprint", "")),
        "classes": len(classes) if isinstance(classes, list) else classes,
        "class_names": tuple(classes) if isinstance(classes, list) else None,
        "recipe": record.recipe,
        "options": record.options,
        "resolution": record.resolution,
        "architecture": json.dumps(record.architecture, sort_keys=True) if record.architecture else None,
        "macs": record.macs,
        "params": record.params,
        "train_images": counts.train + counts.search_val if counts else None,  # final networks train on both
        "evaluated": counts.evaluated if counts else None,
        "peak_memory_bytes": record.peak_memory_bytes,
        "algorithm": search.algorithm if search else None,
        "sampler": search.sampler if search else None,
        "sharing": search.sharing if search else None,
        "evaluations": search.evaluations if search else None,
        "acceptance_rate": search.acceptance_rate if search else None,
        "calibration_images": search.calibration_images if search else None,
        "inputs": {name: value.content for name, value in record.inputs.items()},
        "version": record.code.version,
        "commit": record.code.commit,
        "dirty": record.code.dirty,
        "python": record.environment.python,
        "torch": record.environment.torch,
        "torchvision": record.environment.torchvision,
        "device": record.environment.device_name or record.environment.device,
        "started": record.started,
        "finished": record.finished,
        "warnings": record.warnings,
        **record.metrics,
        **record.timings,
    }


def load(
    folders: Sequence[Path],
    suite: Mapping[str, Any] | None = None,
    images: ImageReader | None = None,
    references: Path | None = None,
) -> Results:
    """The records of one or several results folders as one set of results.

    Args:
        suite: what was declared (name, title, comparisons, expected cells); read from the ``suite.json`` files that lie
            in the folders when not given, and taken from the records themselves when there are none.
        images: gets at test images, for the figure that shows some.
        references: a file of published results instead of the shipped one.
    """
    columns = _Columns()
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a results folder; give one that `trionet-bench run` wrote.")
        for place in record_folders(folder):
            record = read_record(place)
            if record is not None:
                columns.add(record, place)
    frames = columns.frames()
    cells = frames.pop("cells")
    if cells.empty:
        raise UsageError(f"No record under {', '.join(map(str, folders))}; run the suite first.")
    cells = drop_duplicates(cells)
    suites = [suite] if suite is not None else _declared_beside(folders)
    declared = _declared(suites, cells)
    kept = _kept(cells, declared.expected)
    outside = len(cells) - len(kept)
    if kept.empty:
        raise UsageError(f"None of the {outside} records belongs to suite {', '.join(declared.names)} as it is now.")
    check_comparable(kept)
    return Results(
        declared=declared,
        outside=outside,
        images=images,
        references=references,
        models=tuple(_model_order(declared.expected.model.unique().tolist())),
        datasets=tuple(declared.expected.dataset.unique().tolist()),
        cells=kept.drop(columns="number"),
        **{
            name: frame[frame.number.isin(kept.number)].drop(columns="number").reset_index(drop=True)
            for name, frame in frames.items()
        },
    )


def _declared_beside(folders: Iterable[Path]) -> list[dict[str, Any]]:
    paths = sorted({path for folder in folders for where in ("", "*/") for path in folder.glob(f"{where}{DECLARED}")})
    return [json.loads(path.read_text()) for path in paths]


def _declared(suites: Sequence[Mapping[str, Any]], cells: pd.DataFrame) -> Declared:
    names = [str(suite["name"]) for suite in suites]
    comparisons = [
        Comparison(c["metric"], c["baseline"], tuple(c["candidates"]), c.get("margin"))
        for suite in suites
        for c in suite.get("comparisons", ())
    ]
    expected = [pd.DataFrame(suite["expected"]) for suite in suites if suite.get("expected")]
    undeclared = cells[~cells.suite.isin(names)] if len(suites) != 1 else cells.iloc[:0]
    if len(suites) == 1 and not expected:
        undeclared = cells
    expected += [_full_grid(group) for _, group in undeclared.groupby("suite", sort=True)]
    names += [name for name in sorted(undeclared.suite.unique()) if name not in names]
    titles = [str(suite.get("title") or suite["name"]) for suite in suites] or names
    return Declared(
        names=tuple(names),
        titles=tuple(titles),
        comparisons=tuple(dict.fromkeys(comparisons)),
        expected=pd.concat(expected, ignore_index=True).drop_duplicates(CELL, ignore_index=True),
        from_suite=bool(suites) and undeclared.empty,
    )


def _full_grid(cells: pd.DataFrame) -> pd.DataFrame:
    """Every combination of what was seen: the best guess at what a suite without a file asked for."""
    values = [cells[column].drop_duplicates().sort_values().tolist() for column in CELL]
    return pd.MultiIndex.from_product(values, names=CELL).to_frame(index=False)


def _kept(cells: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """The records that the suites ask for, without those whose key shows that the suite has changed since."""
    merged = cells.merge(expected.rename(columns={"key": "expected_key"}), on=CELL)
    if "expected_key" in merged:
        merged = merged[merged.expected_key.isna() | (merged.expected_key == merged.key)].drop(columns="expected_key")
    return merged.sort_values(CELL, ignore_index=True)


def _model_order(models: Sequence[str]) -> list[str]:
    """Single operators first, the control last, what the suite calls its own between, in the suite's order."""
    first = [name for name in OPERATORS.names() if name in models]
    last = [name for name in _LAST if name in models]
    return [*first, *(name for name in models if name not in {*first, *last}), *last]
