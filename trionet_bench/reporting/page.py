"""A whole report: every table and figure whose data exist, in the formats asked for, and one HTML page of all of them.

Nothing comes from the clock or the machine that writes it: two reports of the same records are the same to the byte.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from trionet_bench.analysis.results import ImageReader, Results, load
from trionet_bench.errors import UsageError, nearest
from trionet_bench.reporting.answer import answer, coverage_line, finished, provenance
from trionet_bench.reporting.figures import FIGURES
from trionet_bench.reporting.figures.figure import Drawing, FigureKind, inline_svg, saved, settle
from trionet_bench.reporting.pages import page_environment
from trionet_bench.reporting.style import Style, drawn_in, style_named
from trionet_bench.reporting.tables import TABLES
from trionet_bench.reporting.tables.table import Table, TableKind, pipe_table, spans, to_csv, to_latex, to_markdown
from trionet_bench.reporting.text import DASH, absent, listed, sentence
from trionet_bench.units import counted

FORMATS = ("html", "md", "csv", "tex", "svg", "pdf", "png")
SECTIONS = {
    "results": "Results",
    "comparisons": "Declared comparisons",
    "placement": "Which operator belongs where",
    "search": "Search",
    "training": "Training",
    "images": "Class by class, image by image",
    "cost": "What it took",
    "coverage": "Coverage",
}
SMOKE = "Smoke run: too short to say anything about the models."
MANIFEST = "report.json"
_PICTURES_FIRST = ("placement", "search", "images")
_OPEN_ROWS = 40  # longer tables start folded
_MOST_ROWS = 300  # longer ones are cut on the page; their files are whole


@dataclass(frozen=True)
class Shown:
    """One table or figure of a report, with the names of its files."""

    kind: TableKind | FigureKind
    content: Table | Drawing
    files: dict[str, str]
    svg: str = ""


def write_report(
    record_folders: Sequence[Path],
    out: Path,
    formats: Sequence[str] = FORMATS,
    style: str = "paper",
    suite: Mapping[str, Any] | None = None,
    force: bool = False,
    images: ImageReader | None = None,
    references: Path | None = None,
) -> Path:
    """Write the report of one or several results folders into ``out``; returns its main file.

    Args:
        formats: some of ``FORMATS``; ``html`` and ``md`` are whole reports, the others write each item apart.
        suite: what was declared; read from ``suite.json`` in the folders when not given.
        force: also replace the report of another suite.
        images: gets at test images, for the figure that shows some; without it that figure is left out.
        references: a file of published results instead of the shipped one.
    """
    for form in formats:
        if form not in FORMATS:
            raise UsageError(f'unknown report format "{form}"; {nearest(form, FORMATS)}')
    results = load(record_folders, suite, images, references)
    _make_room(out, results, force)
    look = style_named(style)
    files: dict[str, bytes] = {}
    tables = [(kind, table) for kind in TABLES if (table := kind.build(results))]
    if results.smoke:
        tables = [(kind, replace(table, note=f"{SMOKE} {table.note}")) for kind, table in tables]
    shown = [_table(kind, table, formats, files) for kind, table in tables]
    for kind in FIGURES:
        with drawn_in(look):
            drawing = kind.build(results, look)
            if drawing is not None:
                shown.append(_figure(kind, drawing, formats, files))
    facts = _facts(results)
    if "html" in formats:
        files["index.html"] = _html(facts, shown, look).encode()
    if "md" in formats:
        files["report.md"] = _markdown(facts, shown).encode()
    manifest = {
        "schema": 1,
        "suites": results.declared.names,
        "coverage": coverage_line(results),
        "files": sorted(files),
    }
    files[MANIFEST] = (json.dumps(manifest, indent=1) + "\n").encode()
    for name, content in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return next((out / name for name in ("index.html", "report.md") if name in files), out)


def find_results(target: str, results: Path) -> Path:
    """The results folder that a person means: the folder itself, or the name of a suite."""
    for folder in (Path(target), results / target):
        if folder.is_dir():
            return folder
    known = sorted(path.name for path in results.iterdir() if path.is_dir()) if results.is_dir() else []
    hint = f"; {nearest(target, known)}" if known else "."
    raise UsageError(f"No results of {target} in {results}{hint} Run it with `trionet-bench run {target}`.")


def _make_room(out: Path, results: Results, force: bool) -> None:
    """Remove what the last report wrote here; UsageError where that was the report of another suite."""
    path = out / MANIFEST
    if not path.is_file():
        return
    previous = json.loads(path.read_text())
    names = listed(previous["suites"])
    if tuple(previous["suites"]) != results.declared.names and not force:
        raise UsageError(f"{out} holds the report of {names}; give another --out, or --force to replace it.")
    for name in previous["files"]:
        (out / name).unlink(missing_ok=True)


def _table(kind: TableKind, table: Table, formats: Sequence[str], files: dict[str, bytes]) -> Shown:
    own: dict[str, str] = {}
    if "csv" in formats:
        own["csv"] = f"tables/{kind.name}.csv"
        files[own["csv"]] = to_csv(table).encode()
    if "md" in formats:
        own["md"] = f"tables/{kind.name}.md"
        files[own["md"]] = to_markdown(table, kind.title).encode()
    if "tex" in formats:
        own["tex"] = f"tables/{kind.name}.tex"
        files[own["tex"]] = to_latex(table, kind.name, kind.title).encode()
    return Shown(kind, table, own)


def _figure(kind: FigureKind, drawing: Drawing, formats: Sequence[str], files: dict[str, bytes]) -> Shown:
    own: dict[str, str] = {}
    if "csv" in formats:
        own["csv"] = f"figures/{kind.name}.csv"
        files[own["csv"]] = drawing.data.to_csv(index=False, lineterminator="\n").encode()
    settle(drawing.figure)
    svg = saved(drawing, "svg") if {"svg", "html"} & set(formats) else b""
    for form in ("png", "svg", "pdf"):
        if form in formats:
            own[form] = f"figures/{kind.name}.{form}"
            files[own[form]] = svg if form == "svg" else saved(drawing, form)
    return Shown(kind, drawing, own, inline_svg(svg, kind.name) if "html" in formats else "")


def _html(facts: dict[str, Any], shown: Sequence[Shown], style: Style) -> str:
    environment = page_environment()
    environment.globals.update(
        spans=spans,
        data_rows=_data_rows,
        is_table=lambda item: isinstance(item.content, Table),
        is_wide=lambda drawing: drawing.figure.get_figwidth() > style.column,
    )
    return environment.get_template("page.html.j2").render(
        **facts,
        sections=_sections(shown),
        open_rows=_OPEN_ROWS,
        most_rows=_MOST_ROWS,
    )


def _data_rows(data: pd.DataFrame) -> list[list[str]]:
    """The first rows of a figure's data as text."""
    return [
        [DASH if absent(value) else f"{value:.6g}" if isinstance(value, float) else str(value) for value in row]
        for row in data.head(_MOST_ROWS).itertuples(index=False, name=None)
    ]


def _sections(shown: Sequence[Shown]) -> list[tuple[str, str, list[Shown]]]:
    """Kind of section, its heading and what stands in it."""
    found = []
    for name, title in SECTIONS.items():
        items = [item for item in shown if item.kind.section == name]
        if name in _PICTURES_FIRST:
            items.sort(key=lambda item: isinstance(item.content, Table))
        if items:
            found.append((name, title, items))
    return found


def _facts(results: Results) -> dict[str, Any]:
    versions = provenance(results)
    warnings = results.cells.warnings.explode().dropna().value_counts(sort=False)
    return {
        "title": listed(results.declared.titles),
        "suites": listed(results.declared.names),
        "answer": answer(results),
        "coverage": coverage_line(results),
        "whole": bool((results.coverage().status == "complete").all()),
        "outside": f"{counted(results.outside, 'record')} outside the suite left out" if results.outside else "",
        "guessed": not results.declared.from_suite,
        "smoke": SMOKE if results.smoke else "",
        "date": finished(results),
        "versions": versions,
        "warnings": [f"{text} ({counted(int(count), 'cell')})" for text, count in warnings.items()],
    }


def _markdown(facts: dict[str, Any], shown: Sequence[Shown]) -> str:
    parts = [
        f"# {facts['title']}",
        *facts["answer"],
        f"**{facts['coverage']}** · suite {facts['suites']} · {facts['date']}",
    ]
    if facts["smoke"]:
        parts.append(f"**{SMOKE}**")
    for _, title, items in _sections(shown):
        parts.append(f"## {title}")
        for item in items:
            if isinstance(item.content, Table):
                parts.append(to_markdown(item.content, item.kind.title, _MOST_ROWS).strip())
                continue
            picture = next((item.files[form] for form in ("png", "svg") if form in item.files), None)
            caption = f"**{sentence(item.kind.title)}** {item.content.alt} {item.content.note}"
            parts += [f"![{item.content.alt}]({picture})", caption] if picture else [caption]
    made = facts["versions"].astype(str)
    parts += ["## Made with", pipe_table(list(made), made.to_numpy().tolist(), [False] * made.shape[1])]
    return "\n\n".join(parts) + "\n"
