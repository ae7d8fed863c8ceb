"""Results in a notebook: records as data frames, the report's tables and figures one by one, and the report itself."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TypeVar

import pandas as pd
from matplotlib.figure import Figure

from trionet_bench.analysis import results as records
from trionet_bench.analysis.history import histories
from trionet_bench.errors import UsageError, nearest
from trionet_bench.integrity.cells import is_doubtful
from trionet_bench.reporting.answer import answer, coverage_line
from trionet_bench.reporting.figures import FIGURES
from trionet_bench.reporting.figures.figure import FigureKind, LeftOut, settle
from trionet_bench.reporting.page import FORMATS, find_results, title_of, write_loaded
from trionet_bench.reporting.showcase import put_between_marks, showcase
from trionet_bench.reporting.style import drawn_in, style_named
from trionet_bench.reporting.tables import TABLES
from trionet_bench.reporting.tables.table import Table, TableKind, to_html
from trionet_bench.reporting.text import listed
from trionet_bench.tasks.thumbnails import image_reader

Kind = TypeVar("Kind", TableKind, FigureKind)


@dataclass(frozen=True, eq=False)
class Results:
    """The records of one task in one or several results folders. A notebook shows the answer and the main table.

    Attributes:
        folders: where the records are.
        records: all frames that tables and figures are made from; see ``analysis.results``.
    """

    folders: tuple[Path, ...]
    records: records.Results

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row a record: what was asked, its status, metrics (fractions), MACs, parameters and timings (seconds)."""
        return self.records.cells

    @cached_property
    def placement(self) -> pd.DataFrame:
        """One row for each operator of each block of each network: its stage, block, operator, MACs and options."""
        return self.records.blocks

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row for each epoch of each phase of a complete cell, from the files beside the records."""
        return histories(self.records.complete)

    def answer(self) -> list[str]:
        """What the report says at its top, a sentence each."""
        return answer(self.records)

    def tables(self) -> dict[str, str]:
        """Names and titles of the tables that ``table`` knows."""
        return {kind.name: kind.title for kind in TABLES}

    def figures(self) -> dict[str, str]:
        """Names and titles of the figures that ``figure`` knows."""
        return {kind.name: title_of(kind, self.records) for kind in FIGURES}

    def table(self, name: str = "main") -> pd.DataFrame:
        """A table of the report as raw numbers. UsageError for an unknown name, or where its data do not exist."""
        return self._table(name).data

    def figure(self, name: str = "cost", style: str = "paper") -> Figure:
        """A figure of the report, as matplotlib's. UsageError for an unknown name, or where its data do not exist.

        Args:
            style: "paper" or "slide".
        """
        kind = _named(FIGURES, name, "figure")
        look = style_named(style)
        with drawn_in(look):
            drawing = kind.build(self.records, look)
            if drawing is None:
                raise UsageError(f'these records have no data for the figure "{name}".')
            if isinstance(drawing, LeftOut):
                raise UsageError(f'the figure "{name}" would say nothing: {drawing.reason}.')
            settle(drawing.figure)
        _shown_in_notebooks()
        return drawing.figure

    def report(
        self,
        out: str | Path | None = None,
        formats: Sequence[str] = FORMATS,
        style: str = "paper",
        force: bool = False,
        data_root: str | Path = "data",
        references: str | Path | None = None,
    ) -> Path:
        """Write the report; returns its main file.

        Args:
            out: folder; None is ``reports/`` and the names of the results folders.
            formats: some of html, md, csv, tex, svg, pdf, png.
            style: "paper" or "slide".
            force: also replace the report of another suite.
            data_root: folder of the named data sets, for the images that the report shows.
            references: YAML file of published results instead of the shipped one.
        """
        return report_of(self.folders, out, formats, style, force, data_root, references)

    def _table(self, name: str) -> Table:
        kind = _named(TABLES, name, "table")
        table = kind.build(self.records)
        if table is None:
            raise UsageError(f'these records have no data for the table "{name}".')
        return table

    def __repr__(self) -> str:
        return f"Results of {listed(self.records.declared.names)}: {coverage_line(self.records)}"

    def _repr_html_(self) -> str:
        table = to_html(self._table("main"), "Main results") if self.records.competitors else ""
        return "".join(f"<p>{escape(text)}</p>\n" for text in (coverage_line(self.records), *self.answer())) + table


def results(*paths: str | Path, results_folder: str | Path = "results", data_root: str | Path = "data") -> Results:
    """Read the records of results folders, or of suites by name.

    UsageError where there are none, or where records do not compare.

    Args:
        paths: folders below which records lie, or names of suites; without any, all of ``results_folder``.
        results_folder: where names of suites are looked up.
        data_root: folder of the named data sets, for the images that figures show.

    Examples:
        >>> found = trionet_bench.results("results/quickstart")
        >>> found
        Results of quickstart: 4 of 4 cells, 0 failed
        >>> sorted(found.cells.model)
        ['conv', 'conv', 'trionet', 'trionet']
        >>> found.table("main")[["model", "n"]].to_dict("list")
        {'model': ['conv', 'trionet'], 'n': [2, 2]}
        >>> set(found.placement.operator) <= {"conv", "local", "axial"}
        True
        >>> found.table("mian")
        Traceback (most recent call last):
        trionet_bench.errors.UsageError: there is no table "mian"; did you mean "main"?
    """
    root = Path(results_folder)
    folders = tuple(find_results(str(path), root) for path in paths) or (root,)
    return Results(folders, records.load(folders, images=image_reader(Path(data_root)), doubt=is_doubtful))


def report_of(
    folders: Sequence[Path],
    out: str | Path | None = None,
    formats: Sequence[str] = FORMATS,
    style: str = "paper",
    force: bool = False,
    data_root: str | Path = "data",
    references: str | Path | None = None,
    reports: Path = Path("reports"),
    into: Path | None = None,
) -> Path:
    """Write one report of several results folders, of any tasks; returns its main file.

    Args:
        out, formats, style, force, data_root, references: as of ``Results.report``.
        reports: folder of reports that are not told where to stand.
        into: a Markdown file that gets the head of the report, of records of one task; see ``reporting.showcase``.
    """
    place = Path(out) if out else reports / "+".join(folder.resolve().name for folder in folders)
    images = image_reader(Path(data_root))
    published = Path(references) if references else None
    parts = records.load_by_task(folders, images=images, references=published, doubt=is_doubtful)
    shown = records.the_only(parts) if into is not None else None
    page = write_loaded(parts, place, formats, style, force)
    if into is not None and shown is not None:
        put_between_marks(into, showcase(shown, page.parent, into.parent))
    return page


def _named(kinds: Sequence[Kind], name: str, noun: str) -> Kind:
    """The kind of that name; UsageError where there is none."""
    kind = next((kind for kind in kinds if kind.name == name), None)
    if kind is None:
        raise UsageError(f'there is no {noun} "{name}"; {nearest(name, [kind.name for kind in kinds])}')
    return kind


def _shown_in_notebooks() -> None:
    """Let IPython show figures as pictures, which it does by itself only for those that pyplot made."""
    if "IPython" not in sys.modules:
        return
    from IPython import get_ipython  # only where it runs already
    from IPython.core.pylabtools import select_figure_formats

    if (shell := get_ipython()) is not None:
        select_figure_formats(shell, {"png"})
