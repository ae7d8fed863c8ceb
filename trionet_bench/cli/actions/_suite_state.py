"""The state of the cells of a suite, as text and as JSON."""

from trionet_bench.execution.plan import Plan, PlannedCell
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.layout import LOG, format_budget
from trionet_bench.units import counted


def headline(plan: Plan) -> str:
    """One line: the number of cells in each state."""
    counts = plan.counts()
    others = "".join(f", {counts[state]} {state}" for state in ("failed", "missing", "stale") if counts[state])
    return f"{plan.suite.name}: {counts['complete']} of {counted(len(plan.cells), 'cell')} complete{others}"


def failures(plan: Plan) -> list[str]:
    """A line for each failed cell with its cause, and what to do."""
    lines = [f"failed: {cell.name}: {_cause(cell)}" for cell in plan.cells if cell.state == "failed"]
    advice = f"Each failed cell has a {LOG} in its folder; `run` takes them up again with --retry-failed."
    return [*lines, advice] if lines else []


def grid(plan: Plan) -> list[str]:
    """Models by seeds for each data set and budget, with the state of each cell."""
    states = {cell.name: cell.state for cell in plan.cells}
    rows = list(dict.fromkeys(name[:3] for name in states))
    seeds = list(dict.fromkeys(name.seed for name in states))
    heads = [f"{dataset} {format_budget(budget)} {model}" for dataset, model, budget in rows]
    width = max(map(len, heads), default=0)
    lines = [" " * width + "".join(f"  {'s' + str(seed):8}" for seed in seeds)]
    by_row = {(name[:3], name.seed): state for name, state in states.items()}
    for head, row in zip(heads, rows, strict=True):
        lines.append(f"{head:{width}}" + "".join(f"  {by_row.get((row, seed), ''):8}" for seed in seeds))
    return [line.rstrip() for line in lines]


def outcome_json(plan: Plan) -> JsonObject:
    """The plan as a JSON document."""
    return {
        "schema": 1,
        "suite": plan.suite.name,
        "results": str(plan.folder),
        "counts": plan.counts(),
        "cells": [_cell_json(plan, cell) for cell in plan.cells],
        "phases": [
            {"name": phase.phase.name, "key": key, "content": phase.content, "done": phase.content is not None}
            for key, phase in plan.phases.items()
        ],
        "absent": {name: str(error) for name, error in {**plan.absent, **plan.lacking}.items()},
    }


def _cell_json(plan: Plan, cell: PlannedCell) -> JsonObject:
    record = cell.record if cell.state in ("complete", "failed") else None
    return {
        **cell.name._asdict(),
        "state": cell.state,
        "key": cell.key,
        "folder": cell.folder.relative_to(plan.folder).as_posix(),
        "seconds": cell.seconds if record else None,
        "metrics": record.metrics if record else {},
        "error": _cause(cell) if cell.state == "failed" else None,
    }


def _cause(cell: PlannedCell) -> str:
    error = cell.record.error if cell.record else None
    return f"{error.type}: {error.message}" if error else "unknown"
