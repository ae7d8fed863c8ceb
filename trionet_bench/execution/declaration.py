"""What a suite declares, left beside its results for the report."""

import json
import logging
from pathlib import Path

from trionet_bench.errors import DamagedFile
from trionet_bench.execution.jobs import CellName
from trionet_bench.execution.plan import Plan, cell_names
from trionet_bench.files import remove_drafts, write_atomically
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.declaration import read_declaration
from trionet_bench.records.layout import DECLARED, RECORD, SUITE, cell_folder
from trionet_bench.records.store import read_json, write_json
from trionet_bench.suite.seeds import SeedPlan
from trionet_bench.suite.specification import Suite, shipped_suites

_HOUR = 3600.0
_log = logging.getLogger(__name__)


def as_begun(suite: Suite, results: Path) -> Suite:
    """A suite whose seeds are added as needed, at the look that its results have come to, where that is a later one."""
    if suite.seed_plan is None:
        return suite
    try:
        declared = read_declaration(results / suite.name)
    except DamagedFile as error:
        _log.warning("%s It is written anew.", error)
        return suite
    if declared is None or declared.looks is None:
        return suite
    return suite.at(max(len(suite.seeds), suite.seed_plan.reached(declared.looks.seeds)))


def begun_file(name: str, results: Path) -> str | Path:
    """The suite file that a study in ``results`` was begun with, where ``name`` is that of one and of no shipped suite,
    or its folder; else ``name``.
    """
    if name in shipped_suites() or Path(name).is_file():
        return name
    written = (results / f"{name}.yaml", results / name / SUITE, Path(name) / SUITE)  # the first by ``compare``
    return next((file for file in written if file.is_file()), name)


def _looks(plan: SeedPlan, seeds: int) -> JsonObject:
    """Where a study stands: the planned looks by their seeds, the present one, and the level at which it decides."""
    looks = plan.looks
    return {"planned": list(looks), "seeds": seeds, "taken": looks.index(seeds) + 1, "level": plan.level(seeds)}


def _has_record(plan: Plan, name: CellName) -> bool:
    return (cell_folder(plan.results, plan.suite.name, *name) / RECORD).is_file()


def declare(plan: Plan) -> None:
    """Leave the suite's text, and its title, comparisons and expected cells. An equal declaration is
    not rewritten, so that a report can compare dates.

    Where the plan is of a part of the suite, the cells of that part are expected and those that have a record already:
    a part is a study of its own, not a large one that lacks most. A record of what the suite was before is not among
    them.
    """
    suite = plan.suite
    known = {**plan.others, **{cell.name: cell.key for cell in plan.cells}}
    keys = {name: {"key": key} for name, key in known.items() if key is not None}
    stale = {name for name, key in plan.others.items() if key is None}
    wanted = {cell.name for cell in plan.cells}
    value: JsonObject = {
        "schema": 1,
        "name": suite.name,
        "title": suite.title,
        "fidelity": suite.fidelity,
        "comparisons": [comparison.model_dump(mode="json") for comparison in suite.comparisons],
        **({"looks": _looks(suite.seed_plan, len(suite.seeds))} if suite.seed_plan else {}),
        "expected": [
            {**name._asdict(), **keys.get(name, {})}
            for name in cell_names(suite)
            if name in wanted or (name not in stale and _has_record(plan, name))
        ],
    }
    remove_drafts(plan.folder, older_than=_HOUR)
    write_atomically(plan.folder / SUITE, suite.document.text)
    try:
        declared = read_json(plan.folder / DECLARED)
    except DamagedFile:
        declared = None
    if declared != json.loads(json.dumps(value)):
        write_json(plan.folder / DECLARED, value)
