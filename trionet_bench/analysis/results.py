"""Records as data frames: read once, reduced to what tables and figures ask for.

Every frame carries the columns ``CELL``, so that any two can be joined.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trionet_bench.analysis.frames import Frames
from trionet_bench.analysis.merging import CELL, check_comparable, drop_duplicates
from trionet_bench.analysis.metrics import metric_of
from trionet_bench.errors import DamagedFile, UsageError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.declaration import read_declaration
from trionet_bench.records.layout import DECLARED
from trionet_bench.records.record import Ranked, Record
from trionet_bench.records.store import read_record, record_folders
from trionet_bench.records.task_info import Metric, TaskInfo
from trionet_bench.spaces.operators import OPERATORS

GROUP = ["dataset", "budget", "model"]

_log = logging.getLogger(__name__)

_LAST = ("random",)

# Source URI, its fingerprint, positions among the test images of a task, and the labels they must have -> pixels of
# each; None where they are not here.
ImageReader = Callable[[str, str, Sequence[int], Sequence[int], TaskInfo], Sequence[np.ndarray] | None]
# A cell's folder and its record -> whether something of them does not verify.
Doubt = Callable[[Path, Record], bool]


@dataclass(frozen=True)
class Comparison:
    """One declared comparison.

    ``metric`` is a column of cells. ``margin`` is in percentage points for a fraction, in the metric's unit otherwise;
    None when no equivalence is claimed.
    """

    metric: str
    baseline: str
    candidates: tuple[str, ...]
    margin: float | None = None


@dataclass(frozen=True)
class Looks:
    """The looks at a study: those planned, by their seeds, how many were taken, and the level of the last."""

    planned: tuple[int, ...]
    taken: int
    level: float


@dataclass(frozen=True)
class Declared:
    """What the suites declared before they ran. ``expected`` has the columns ``CELL`` (and ``key`` where known).

    ``looks`` are those that were taken where seeds are added until the comparisons are decided.
    """

    names: tuple[str, ...]
    titles: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    expected: pd.DataFrame
    from_suite: bool = True
    looks: Looks | None = None


@dataclass(frozen=True, eq=False)
class Results:
    """The records of one task and division in one report. Rows of ``cells`` are records; the other frames hold their
    parts in long form.

    A division is what may be ranked together: "" are networks that were trained from scratch, any other says what their
    weights came from.

    Equal only to itself, so that what is computed from it can be kept.
    """

    declared: Declared
    task: TaskInfo
    cells: pd.DataFrame
    blocks: pd.DataFrame
    priors: pd.DataFrame
    generations: pd.DataFrame
    probes: pd.DataFrame
    operator_macs: pd.DataFrame
    ranked: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*CELL, *Ranked.model_fields]))
    outside: int = 0
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    images: ImageReader | None = None
    references: Path | None = None
    division: str = ""
    damaged: int = 0

    @property
    def primary(self) -> Metric:
        """The metric that decides."""
        return self.task.primary

    @property
    def score(self) -> str:
        """The column of ``cells`` that decides: the primary metric on the test part."""
        return self.measured("test")

    def measured(self, part: str, weights: str = "") -> str:
        """The column of the primary metric on a part, with weights that are ``inherited`` or ``finetuned``."""
        return f"{weights}_{part}_{self.primary.name}".removeprefix("_")

    @property
    def doubtful(self) -> pd.DataFrame:
        """Cells of which something does not verify."""
        return self.cells[self.cells.doubtful]

    def metric(self, column: str) -> Metric:
        """The metric of a column of ``cells``, as ``metrics.metric_of``."""
        return metric_of(self.task, column)

    @property
    def complete(self) -> pd.DataFrame:
        """Cells that have a result."""
        return self.cells[self.cells.status == "complete"]

    @property
    def competitors(self) -> list[str]:
        """Models whose cells are networks; others rank architectures for a correlation."""
        return [name for name in self.models if name not in set(self.ranked.model)]

    @property
    def budgets(self) -> list[int]:
        """From small to large, in MACs."""
        return sorted(self.declared.expected.budget.unique().tolist())

    @property
    def smoke(self) -> bool:
        """Whether these are smoke runs, which say nothing about the models."""
        return bool((self.cells.fidelity == "smoke").any())

    def coverage(self) -> pd.DataFrame:
        """One row per expected cell with its ``status``: complete, failed or missing."""
        known = self.cells[[*CELL, "status", "error"]]
        merged = self.declared.expected[CELL].merge(known, on=CELL, how="left")
        return merged.fillna({"status": "missing", "error": ""})


def load(
    folders: Sequence[Path],
    suite: Mapping[str, Any] | None = None,
    images: ImageReader | None = None,
    references: Path | None = None,
    doubt: Doubt | None = None,
) -> Results:
    """``load_by_task`` of records that have one task and division in common; UsageError where they have not."""
    return the_only(load_by_task(folders, suite, images, references, doubt))


def the_only(parts: Sequence[Results]) -> Results:
    """The records of what must be one task and division; UsageError where they are of several."""
    first, *others = parts
    if others:
        names = ", ".join(" ".join((results.task.name, results.division)).strip() for results in (first, *others))
        raise UsageError(
            f"The records are of several tasks or divisions ({names}), which do not compare; write a report of each."
        )
    return first


def load_by_task(
    folders: Sequence[Path],
    suite: Mapping[str, Any] | None = None,
    images: ImageReader | None = None,
    references: Path | None = None,
    doubt: Doubt | None = None,
) -> tuple[Results, ...]:
    """The records of one or several results folders, those of each task apart.

    Data sets are of one task where it has the same name and the same metrics; its options may differ between them. A
    data set without records counts with the first task. Within a task models that were pre-trained stand apart, by what
    they were pre-trained on; a model without results counts as trained from scratch.

    Args:
        suite: what was declared (name, title, comparisons, expected cells); read from the ``suite.json`` files that lie
            in the folders when not given, and taken from the records themselves when there are none.
        images: gets at test images, for the figure that shows some.
        references: a file of published results instead of the shipped one.
        doubt: asked of each record, for the mark of those that do not verify; without it none is marked.

    UsageError where there is nothing to report or records do not compare.
    """
    frames = Frames()
    damaged = 0
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a results folder; give one that `trionet-bench run` wrote.")
        for place in record_folders(folder):
            try:
                record = read_record(place)
            except DamagedFile as error:
                _log.warning("%s It is left out.", error)
                damaged += 1
                continue
            if record is not None:
                frames.add(record, place, doubtful=doubt is not None and doubt(place, record))
    cells = frames.cells()
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
    parts = frames.parts()
    tasks = _tasks(kept, declared.expected)
    found: list[Results] = []
    for task, datasets in tasks:
        of_task = _declared_of(declared, task, datasets, len(tasks) > 1)
        for division, models in _divisions(kept, of_task.expected).items():
            of_division = _declared_for(of_task, models)
            cells = kept.merge(of_division.expected[CELL], on=CELL)
            of_all = {} if found else {"outside": outside, "damaged": damaged}
            more = {**of_all, "images": images, "references": references}
            found.append(_of_task(task, of_division, cells, parts, division=division, **more))
    return tuple(found)


def _divisions(cells: pd.DataFrame, expected: pd.DataFrame) -> dict[str, list[str]]:
    """The models of each division, those from scratch first."""
    known = cells[cells.division != ""].drop_duplicates("model").set_index("model").division
    divisions: dict[str, list[str]] = {"": []}
    for model in expected.model.unique():
        divisions.setdefault(str(known.get(model, "")), []).append(str(model))
    return {division: models for division, models in divisions.items() if models}


def _declared_for(declared: Declared, models: list[str]) -> Declared:
    """What was declared of some models; a comparison keeps those of its candidates that are among them."""
    comparisons = [
        replace(comparison, candidates=tuple(name for name in comparison.candidates if name in models))
        for comparison in declared.comparisons
        if comparison.baseline in models
    ]
    expected = declared.expected[declared.expected.model.isin(models)].reset_index(drop=True)
    return replace(declared, comparisons=tuple(each for each in comparisons if each.candidates), expected=expected)


def _tasks(cells: pd.DataFrame, expected: pd.DataFrame) -> list[tuple[TaskInfo, list[str]]]:
    """The tasks in the order of their data sets, with these."""
    of_dataset: dict[str, TaskInfo] = dict(cells.drop_duplicates("dataset")[["dataset", "task"]].to_numpy().tolist())
    first = next(of_dataset[name] for name in expected.dataset if name in of_dataset)
    tasks: dict[tuple[str, tuple[Metric, ...]], tuple[TaskInfo, list[str]]] = {(first.name, first.metrics): (first, [])}
    for name in expected.dataset.unique():
        task = of_dataset.get(name, first)
        tasks.setdefault((task.name, task.metrics), (task, []))[1].append(name)
    return list(tasks.values())


def _declared_of(declared: Declared, task: TaskInfo, datasets: list[str], several: bool) -> Declared:
    """What was declared for the data sets of a task. Of several tasks, each has the comparisons by its metrics."""
    comparisons = [
        replace(comparison, metric=comparison.metric or f"test_{task.primary.name}")
        for comparison in declared.comparisons
        if not (several and comparison.metric and task.metric_of(comparison.metric) is None)
    ]
    expected = declared.expected[declared.expected.dataset.isin(datasets)].reset_index(drop=True)
    return replace(declared, comparisons=tuple(dict.fromkeys(comparisons)), expected=expected)


def _of_task(
    task: TaskInfo, declared: Declared, cells: pd.DataFrame, parts: Mapping[str, pd.DataFrame], **others: Any
) -> Results:
    frames = {
        name: frame[frame.number.isin(cells.number)].drop(columns="number").reset_index(drop=True)
        for name, frame in parts.items()
    }
    frames["ranked"] = frames["ranked"].rename(columns=lambda column: _measured(column, task.primary))
    return Results(
        declared=declared,
        task=task,
        cells=cells.drop(columns="number").reset_index(drop=True),
        models=tuple(_model_order(declared.expected.model.unique().tolist())),
        datasets=tuple(declared.expected.dataset.unique().tolist()),
        **frames,
        **others,
    )


def _measured(field: str, primary: Metric) -> str:
    """A field of ``Ranked`` with the name of what it is: inherited_val, and where it is not recalibrated."""
    return re.sub(r"(^|_)val(?=_|$)", rf"\1val_{primary.name}", field)


def _declared_beside(folders: Iterable[Path]) -> list[JsonObject]:
    paths = sorted({path for folder in folders for where in ("", "*/") for path in folder.glob(f"{where}{DECLARED}")})
    declared = []
    for path in paths:
        try:
            declaration = read_declaration(path.parent)
        except DamagedFile as error:
            _log.warning("%s What it declared is taken from the records.", error)
            continue
        if declaration is not None:
            declared.append(declaration.model_dump(exclude_none=True))
    return declared


def _declared(suites: Sequence[Mapping[str, Any]], cells: pd.DataFrame) -> Declared:
    names = [str(suite["name"]) for suite in suites]
    comparisons = [
        Comparison(c.get("metric") or "", c["baseline"], tuple(c["candidates"]), c.get("margin"))
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
        looks=_looks([suite["looks"] for suite in suites if "looks" in suite]),
    )


def _looks(declared: Sequence[Mapping[str, Any]]) -> Looks | None:
    """The looks of the study that decides at the lowest level, where several are reported together."""
    looks = [Looks(tuple(each["planned"]), each["taken"], each["level"]) for each in declared]
    return min(looks, key=lambda each: each.level, default=None)


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
    """Single operators first, then the suite's other models in its order, random search, which is a control, last."""
    first = [name for name in OPERATORS.names() if name in models]
    last = [name for name in _LAST if name in models]
    return [*first, *(name for name in models if name not in {*first, *last}), *last]
