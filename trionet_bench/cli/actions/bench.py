"""Measures one benchmark or all of them, and prints the cases and targets."""

import json
import sys
from pathlib import Path

from trionet_bench.benchmarks.everything import BENCHES, failed, measure_all, measure_one
from trionet_bench.benchmarks.measure import Document, OnCase, line_of, target_line
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.integrity.provenance import code_state, command_line
from trionet_bench.progress import Progress
from trionet_bench.terminal import echo


def measure_named(
    bench: str, setting: Setting, as_json: bool, **options: str | int | Path | tuple[str, ...] | tuple[Path, ...] | None
) -> None:
    """Measure one benchmark and print it, as JSON with command and code; ``options`` are those of ``measure``."""
    with Progress() as progress:
        document = measure_one(bench, setting, _on_case(progress, bench), **options)
    if as_json:
        made_by = {"command": command_line(sys.argv[1:]), "code": code_state().model_dump()}
        echo(json.dumps({**made_by, **document}, indent=2))
        return
    for row in document["cases"]:
        echo(line_of(row))
    echo("\nTargets")
    _print_targets(document)


def measure_every(setting: Setting, results: Path, reports: Path, as_json: bool) -> bool:
    """Measure all benchmarks, write their file and page, print the targets; returns whether none failed."""
    with Progress() as progress:
        command = command_line(sys.argv[1:])
        everything, file, page = measure_all(
            setting, lambda bench: _on_case(progress, bench), results, reports, command
        )
    if as_json:
        echo(json.dumps(everything, indent=2))
    else:
        for name in BENCHES:
            echo(f"\n{BENCHES[name]}")
            _print_targets(everything["benches"][name])
        echo(f"\nFigures: {file}\nPage: {page}")
    errors = failed(everything)
    for name, error in errors.items():
        echo(f"Error: bench {name}: {error}", err=True)
    return not errors


def _on_case(progress: Progress, bench: str) -> OnCase:
    """Shows a bar or lines with the time left, and a line for each case."""
    task = progress.task(bench, 1)

    def show(done: int, total: int, line: str) -> None:
        progress.say(line)
        task(done, total)

    return show


def _print_targets(document: Document) -> None:
    for target in document["targets"]:
        echo(f"  {target_line(target)}")
