"""A table as a value: raw numbers for CSV, printed text with marks for Markdown, LaTeX and HTML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from trionet_bench.analysis.results import Results
from trionet_bench.reporting.text import DASH, DOUBTFUL, MINUS, RHO, sentence
from trionet_bench.terminal import visible

# Unicode that a plain LaTeX font lacks or spaces badly.
_LATEX = {
    "±": r"$\pm$",
    DASH: "--",
    MINUS: "$-$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "τ": r"$\tau$",
    RHO: r"$\rho$",
    "†": r"\textdagger{}",
    DOUBTFUL: r"\textdaggerdbl{}",
    "·": r"$\cdot$",
    "“": "``",
    "”": "''",
}


@dataclass(frozen=True)
class Table:
    """What one builder returns.

    Args:
        data: raw values under machine names, as they go to CSV.
        text: the same as people read it; the column names are the headings.
        marks: "best", "second" or "" for each cell of ``text``.
        note: what a reader must know to read the numbers.
        groups: leading columns whose repeated values are printed once.
        numbers: headings of columns that are set flush right.
    """

    data: pd.DataFrame
    text: pd.DataFrame
    note: str = ""
    marks: pd.DataFrame | None = None
    groups: int = 0
    numbers: Sequence[str] = ()

    def mark(self, row: int, column: int) -> str:
        """Of one cell of ``text``."""
        return "" if self.marks is None else str(self.marks.iat[row, column])


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four are wide forms


@dataclass(frozen=True)
class TableKind:
    """One kind of table. ``build`` returns None when its data do not exist."""

    name: str
    title: str
    section: str
    build: Callable[[Results], Table | None]


def to_csv(table: Table) -> str:
    """The raw values as CSV; see ``csv_of``."""
    return csv_of(table.data)


def csv_of(data: pd.DataFrame) -> str:
    """A frame as CSV. A text that a spreadsheet would read as a formula begins with an apostrophe; control characters
    stand there by their escapes.
    """
    text = data.select_dtypes(exclude="number").columns
    safe = data.assign(**{name: data[name].map(_no_formula) for name in text}).rename(columns=_no_formula)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _no_formula(value: object) -> object:
    if not isinstance(value, str):
        return value
    return visible(f"'{value}" if value.lstrip(" \n").startswith(_FORMULA) else value)


def to_markdown(table: Table, title: str, most: int | None = None) -> str:
    """A pipe table under its title; the best bold, the second underlined; the first ``most`` rows of it."""
    wrap = {"best": "**{}**", "second": "<u>{}</u>", "": "{}"}
    shown = table.text.head(most) if most else table.text
    rows = [
        [wrap[table.mark(r, c)].format(cell_text(value)) for c, value in enumerate(row)]
        for r, row in enumerate(shown.itertuples(index=False, name=None))
    ]
    cut = f"\n\nThe first {most} of {len(table.text)} rows." if len(shown) < len(table.text) else ""
    body = pipe_table(
        [cell_text(name) for name in shown.columns], rows, [name in table.numbers for name in shown.columns]
    )
    return f"**{sentence(title)}** {_markdown(table.note)}\n\n{body}{cut}\n"


def pipe_table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """A Markdown table with its columns in line; tabulate, which pandas uses for it, needs minutes for large ones."""
    widths = [max(3, *(len(row[c]) for row in (head, *rows))) for c in range(len(head))]
    rule = ["-" * (width - 1) + ":" if flush else "-" * width for width, flush in zip(widths, right, strict=True)]
    padded = [
        [
            text.rjust(width) if flush else text.ljust(width)
            for text, width, flush in zip(row, widths, right, strict=True)
        ]
        for row in (head, rule, *rows)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in padded)


def _markdown(value: object) -> str:
    """Text that Markdown prints as it is, but for what stands between backticks."""
    special = {"\\": "\\\\", "|": "\\|", "\n": " ", "\r": " ", "&": "&amp;", "<": "&lt;", "*": "\\*", "_": "\\_"}
    text = visible("".join(special.get(character, character) for character in str(value)))
    return text.replace("](", "]\\(").replace("$", "\\$")


def cell_text(value: object) -> str:
    """A name or number in a Markdown table, as it is written."""
    return _markdown(value).replace("`", "\\`")


def to_latex(table: Table, name: str, title: str) -> str:
    """A booktabs table; needs \\usepackage{booktabs}."""
    text = _blank_repeats(table)
    text.columns = [_latex(column) for column in text.columns]
    styler = text.style.hide(axis="index").format(_latex)
    if table.marks is not None:
        commands = {"best": "textbf: --rwrap;", "second": "underline: --rwrap;", "": ""}
        marks = table.marks.map(commands.__getitem__)
        marks.columns, marks.index = text.columns, text.index
        styler = styler.apply(lambda _: marks, axis=None)
    columns = "".join("r" if column in table.numbers else "l" for column in table.text.columns)
    caption = f"{_latex(sentence(title))} {_latex(table.note)}".strip()
    return str(
        styler.to_latex(
            hrules=True,
            column_format=columns,
            caption=caption,
            label=f"tab:{name}",
            position="t",
            position_float="centering",
        )
    )


def to_html(table: Table, title: str) -> str:
    """A table element with its caption, for pages that are no reports, whose tables are in their template."""
    body = visible(str(table.text.to_html(index=False, border=0)))
    caption = f"{escape(sentence(title))} {escape(table.note)}".strip()
    return body.replace(">", f">\n  <caption>{caption}</caption>", 1) + "\n"


def _blank_repeats(table: Table) -> pd.DataFrame:
    text = table.text.astype(str).reset_index(drop=True)
    for depth in range(table.groups, 0, -1):
        same = (text.iloc[:, :depth] == table.text.astype(str).iloc[:, :depth].shift().reset_index(drop=True)).all(
            axis=1
        )
        text.loc[same, text.columns[depth - 1]] = ""
    return text


def _latex(value: object) -> str:
    """LaTeX that prints ``value``."""
    special = {
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "[": "{[}",
        "]": "{]}",
        "\n": " ",
        "\r": " ",
    } | _LATEX
    return "".join(special.get(character, character) for character in visible(str(value)))


def spans(table: Table) -> list[list[int]]:
    """For HTML: rows that each leading cell covers; 0 where the cell above covers it."""
    text = table.text.astype(str)
    rows = [[1] * text.shape[1] for _ in range(len(text))]
    for column in range(table.groups):
        keys = list(text.iloc[:, : column + 1].itertuples(index=False, name=None))
        for row in range(len(keys) - 1, 0, -1):
            if keys[row] == keys[row - 1]:
                rows[row - 1][column] += rows[row][column]
                rows[row][column] = 0
    return rows
