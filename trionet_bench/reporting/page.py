"""A report: every table and figure whose data exist, in the formats asked for, and one HTML page of all of them.

Nothing comes from the clock or the machine that writes it: two reports of the same records are the same to the byte.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from trionet_bench.analysis.results import Doubt, ImageReader, Results, load_by_task
from trionet_bench.errors import UsageError, nearest
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.layout import DECLARED
from trionet_bench.reporting.answer import answer, coverage_line, finished, provenance
from trionet_bench.reporting.figures import FIGURES
from trionet_bench.reporting.figures.figure import Drawing, FigureKind, LeftOut, inline_svg, saved, settle
from trionet_bench.reporting.manifest import refuse_other, write_files
from trionet_bench.reporting.pages import page_environment
from trionet_bench.reporting.quantity import capitalised, primary
from trionet_bench.reporting.style import Style, drawn_in, style_named
from trionet_bench.reporting.tables import TABLES
from trionet_bench.reporting.tables.table import (
    Table,
    TableKind,
    cell_text,
    csv_of,
    pipe_table,
    spans,
    to_csv,
    to_latex,
    to_markdown,
)
from trionet_bench.reporting.text import DASH, absent, listed, prose, sentence
from trionet_bench.terminal import visible
from trionet_bench.units import counted

FORMATS = ("html", "md", "csv", "tex", "svg", "pdf", "png")
OPENING = "opening"  # figures that stand below the first sentences
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
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:%|points?|ms|nats|seeds?)(?!\w))")
_FOLDED = ("search", "training", "cost", "coverage")  # sections that start folded, also those of one task
_PICTURES_FIRST = ("placement", "search", "images")
_FOR_PHONES = (OPENING, "results", "comparisons")  # whose figures are drawn once more; others scroll
_OPEN_ROWS = 60  # longer tables start folded
_MOST_ROWS = 300  # longer ones are cut on the page; their files have all rows


@dataclass(frozen=True)
class Shown:
    """One table or figure of a report, with the names of its files, or why a figure is left out.

    ``task`` names the part of the report, a task or division; it is empty where there is one.
    """

    kind: TableKind | FigureKind
    task: str
    title: str
    content: Table | Drawing | LeftOut
    files: dict[str, str]
    svg: str = ""
    narrow_svg: str = ""  # for a phone, where the figure is wider than a column

    @property
    def name(self) -> str:
        """Of its files, and on the page."""
        return _named(self.kind.name, self.task)


def write_report(
    record_folders: Sequence[Path],
    out: Path,
    formats: Sequence[str] = FORMATS,
    style: str = "paper",
    suite: Mapping[str, Any] | None = None,
    force: bool = False,
    images: ImageReader | None = None,
    references: Path | None = None,
    doubt: Doubt | None = None,
) -> Path:
    """Write the report of one or several results folders into ``out``; returns its main file.

    Args:
        formats, style, force: as of ``write_loaded``.
        suite: what was declared; read from ``suite.json`` in the folders when not given.
        images: gets at test images, for the figure that shows some; without it that figure is left out.
        references: a file of published results instead of the shipped one.
        doubt: says which records do not verify, whose numbers get a mark; without it none does.
    """
    parts = load_by_task(record_folders, suite, images, references, doubt)
    return write_loaded(parts, out, formats, style, force)


def write_loaded(
    parts: Sequence[Results],
    out: Path,
    formats: Sequence[str] = FORMATS,
    style: str = "paper",
    force: bool = False,
) -> Path:
    """Write the report of records that were read; returns its main file.

    Records of several tasks make one page, on which each task has its sections, tables and figures.

    Args:
        parts: the records of each task and division.
        formats: some of ``FORMATS``; ``html`` and ``md`` are complete reports, the others write each item apart.
        style: of the figures, "paper" or "slide".
        force: also replace the report of another suite.
    """
    for form in formats:
        if form not in FORMATS:
            raise UsageError(f'unknown report format "{form}"; {nearest(form, FORMATS)}')
    names = parts[0].declared.names
    refuse_other(out, names, force)
    look = style_named(style)
    files: dict[str, bytes] = {}
    shown: list[Shown] = []
    for task, results in zip(_part_names(parts), parts, strict=True):
        shown += _tables(results, task, formats, files)
        shown += _figures(results, task, look, formats, files)
    facts = _facts(parts)
    if "html" in formats:
        files["index.html"] = _html(facts, shown, look).encode()
    if "md" in formats:
        files["report.md"] = _markdown(facts, shown).encode()
    write_files(out, files, names, facts["coverage"])
    return next((out / name for name in ("index.html", "report.md") if name in files), out)


def find_results(target: str, results: Path) -> Path:
    """The results folder that a person means: the folder itself, or the name of a suite."""
    named, below = Path(target), results / target
    for folder in (
        (below, named) if (below / DECLARED).is_file() else (named, below)
    ):  # a folder of images may be so named
        if folder.is_dir():
            return folder
    known = sorted(path.name for path in results.iterdir() if path.is_dir()) if results.is_dir() else []
    hint = f"; {nearest(target, known)}" if known else "."
    run = "" if len(named.parts) > 1 else f" Run it with `trionet-bench run {target}`."
    raise UsageError(f"No results of {target} in {results}{hint}{run}")


def _part_names(parts: Sequence[Results]) -> list[str]:
    """A name for each task and division where there are several; tasks of one name and different metrics are numbered.

    A division that is not trained from scratch is always named.
    """
    tasks = list(dict.fromkeys((results.task.name, results.task.metrics) for results in parts))
    names = [name for name, _ in tasks]
    of_task = {
        task: name if names.count(name) == 1 else f"{name}-{names[: place + 1].count(name)}"
        for place, (task, name) in enumerate(zip(tasks, names, strict=True))
    }
    several = any(results.division for results in parts) and len(parts) > len(tasks)
    return [
        ", ".join(
            filter(
                None,
                (
                    of_task[results.task.name, results.task.metrics] if len(tasks) > 1 else "",
                    results.division or ("trained from scratch" if several else ""),
                ),
            )
        )
        for results in parts
    ]


def _named(name: str, part: str) -> str:
    """Of a file: what it is, after its part of the report."""
    return f"{re.sub('[^A-Za-z0-9._-]+', '-', part)}-{name}" if part else name


def _tables(results: Results, task: str, formats: Sequence[str], files: dict[str, bytes]) -> list[Shown]:
    """Every table whose data exist; its files are added to ``files``."""
    shown = []
    for kind in TABLES:
        table = kind.build(results)
        if not table:
            continue
        if results.smoke:
            table = replace(table, note=f"{SMOKE} {table.note}")
        name = _named(kind.name, task)
        texts: dict[str, str] = {}
        if "csv" in formats:
            texts["csv"] = to_csv(table)
        if "md" in formats:
            texts["md"] = to_markdown(table, kind.title)
        if "tex" in formats:
            texts["tex"] = to_latex(table, name, kind.title)
        written = {form: f"tables/{name}.{form}" for form in texts}
        files |= {written[form]: text.encode() for form, text in texts.items()}
        shown.append(Shown(kind, task, kind.title, table, written))
    return shown


def _figures(results: Results, task: str, style: Style, formats: Sequence[str], files: dict[str, bytes]) -> list[Shown]:
    """Every figure whose data exist, or why it is left out; its files are added to ``files``."""
    shown = []
    for kind in FIGURES:
        with drawn_in(style):
            drawing = kind.build(results, style)
            if isinstance(drawing, LeftOut):
                shown.append(Shown(kind, task, title_of(kind, results), drawing, {}))
            elif drawing is not None:
                figure = _figure(kind, results, task, drawing, formats, files)
                if "html" in formats and kind.section in _FOR_PHONES and _is_wide(drawing, style):
                    figure = replace(figure, narrow_svg=_narrow(kind, results, figure.name, style))
                shown.append(figure)
    return shown


def _narrow(kind: FigureKind, results: Results, name: str, style: Style) -> str:
    """The figure once more, as wide as a column."""
    drawing = kind.build(results, style.narrow)
    assert isinstance(drawing, Drawing)
    settle(drawing.figure)
    return inline_svg(saved(drawing, "svg"), f"{name}-narrow")


def _is_wide(drawing: Drawing, style: Style) -> bool:
    """Whether it takes more than a column."""
    return bool(drawing.figure.get_figwidth() > style.column)


def _figure(
    kind: FigureKind, results: Results, task: str, drawing: Drawing, formats: Sequence[str], files: dict[str, bytes]
) -> Shown:
    name = _named(kind.name, task)
    written: dict[str, str] = {}
    if "csv" in formats:
        written["csv"] = f"figures/{name}.csv"
        files[written["csv"]] = csv_of(drawing.data).encode()
    settle(drawing.figure)
    svg = saved(drawing, "svg") if {"svg", "html"} & set(formats) else b""
    for form in ("png", "svg", "pdf"):
        if form in formats:
            written[form] = f"figures/{name}.{form}"
            files[written[form]] = svg if form == "svg" else saved(drawing, form)
    title = title_of(kind, results)
    return Shown(kind, task, title, drawing, written, inline_svg(svg, name) if "html" in formats else "")


def title_of(kind: FigureKind, results: Results) -> str:
    """The heading of a figure, with the noun of the metric that decides."""
    noun = primary(results).noun
    return kind.title.format(noun=noun, Noun=capitalised(noun))


def _html(facts: JsonObject, shown: Sequence[Shown], style: Style) -> str:
    environment = page_environment()
    environment.filters["coded"] = _coded
    environment.globals.update(
        spans=spans,
        data_rows=_data_rows,
        is_table=lambda item: isinstance(item.content, Table),
        is_left_out=lambda item: isinstance(item.content, LeftOut),
        is_tall=lambda drawing: drawing.figure.get_figheight() > drawing.figure.get_figwidth(),
        is_wide=lambda drawing: _is_wide(drawing, style),
    )
    page = environment.get_template("page.html.j2").render(
        **facts,
        left_out=_left_out,
        counts=_counts,
        opening=[item for item in shown if item.kind.section == OPENING],
        folded=_FOLDED,
        sections=_sections(shown),
        open_rows=_OPEN_ROWS,
        most_rows=_MOST_ROWS,
    )
    return visible(page)


def _coded(text: str) -> Markup:
    """Escaped, with what stands between backticks as code, and no line broken between a number and its unit."""
    parts = [escape(part) for part in _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", text).split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


def _data_rows(data: pd.DataFrame) -> list[list[str]]:
    """The first rows of a figure's data as text."""
    return [
        [DASH if absent(value) else f"{value:.6g}" if isinstance(value, float) else str(value) for value in row]
        for row in data.head(_MOST_ROWS).itertuples(index=False, name=None)
    ]


def _sections(shown: Sequence[Shown]) -> list[tuple[str, str, list[Shown]]]:
    """Identifier of a section, its heading and what stands in it; the sections of a task together."""
    sections = []
    for task in dict.fromkeys(item.task for item in shown):
        for name, title in SECTIONS.items():
            items = [item for item in shown if (item.kind.section, item.task) == (name, task)]
            if name in _PICTURES_FIRST:
                items.sort(key=lambda item: isinstance(item.content, Table))
            if items:
                sections.append((_named(name, task), f"{task}: {title}" if task else title, items))
    return sections


def _counts(items: Sequence[Shown]) -> str:
    """What a folded section holds."""
    tables = sum(isinstance(item.content, Table) for item in items)
    figures = sum(isinstance(item.content, Drawing) for item in items)
    kinds = [counted(number, kind) for number, kind in ((tables, "table"), (figures, "figure")) if number]
    return listed(kinds) if kinds else "nothing to show"


def _left_out(item: Shown) -> str:
    """That a figure is left out, and why."""
    assert isinstance(item.content, LeftOut)
    return f"Figure “{item.title}” is left out: {item.content.reason}."


def _facts(parts: Sequence[Results]) -> JsonObject:
    """What stands around tables and figures."""
    declared, outside = parts[0].declared, parts[0].outside
    cells = pd.concat([results.cells for results in parts], ignore_index=True) if len(parts) > 1 else parts[0].cells
    named = [(f"{task}: " if task else "", results) for task, results in zip(_part_names(parts), parts, strict=True)]
    warnings = cells.warnings.explode().dropna().value_counts(sort=False)
    return {
        "title": listed(declared.titles),
        "suites": listed(declared.names),
        "answer": [f"{task}{sentence}" for task, results in named for sentence in answer(results)],
        "coverage": "; ".join(f"{task}{coverage_line(results)}" for task, results in named),
        "complete": all(bool((results.coverage().status == "complete").all()) for results in parts),
        "outside": f"{counted(outside, 'record')} outside the suite left out" if outside else "",
        "guessed": not declared.from_suite,
        "smoke": SMOKE if any(results.smoke for results in parts) else "",
        "date": finished(cells),
        "versions": provenance(cells),
        "warnings": [f"{text} ({counted(int(count), 'cell')})" for text, count in warnings.items()],
    }


def _markdown(facts: JsonObject, shown: Sequence[Shown]) -> str:
    parts = [
        f"# {prose(facts['title'])}",
        *map(prose, facts["answer"]),
        f"**{prose(facts['coverage'])}** · suite {facts['suites']} · {facts['date']}",
    ]
    if facts["smoke"]:
        parts.append(f"**{SMOKE}**")
    opening = [item for item in shown if item.kind.section == OPENING]
    for _, title, items in [("", "", opening), *_sections(shown)]:
        parts += [f"## {title}"] if title else []
        for item in items:
            if isinstance(item.content, Table):
                parts.append(to_markdown(item.content, item.title, _MOST_ROWS).strip())
                continue
            if isinstance(item.content, LeftOut):
                parts.append(prose(_left_out(item)))
                continue
            picture = next((item.files[form] for form in ("png", "svg") if form in item.files), None)
            caption = f"**{sentence(item.title)}** {prose(item.content.note)}"
            parts += [f"![{prose(item.content.alt)}]({picture})", caption] if picture else [caption]
    made = facts["versions"].astype(str)
    rows = [[cell_text(value) for value in row] for row in made.itertuples(index=False)]
    parts += ["## Made with", pipe_table(list(made), rows, [False] * made.shape[1])]
    return "\n\n".join(parts) + "\n"
