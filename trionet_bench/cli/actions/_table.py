"""Tables on standard output: drawn by rich on a terminal, Markdown elsewhere."""

import sys
from collections.abc import Sequence

from trionet_bench.terminal import echo, visible


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column is left-aligned, the others are right-aligned where they begin with a digit in the first row."""
    right = [bool(column) and cell[:1].isdigit() for column, cell in enumerate(rows[0])] if rows else []
    if sys.stdout.isatty():
        from rich import box  # slow to import, and of use on a terminal only
        from rich.console import Console
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD)
        for head, to_right in zip(heads, right or [False] * len(heads), strict=True):
            table.add_column(visible(head), justify="right" if to_right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(visible(cell).replace("[", r"\\[") for cell in row))
        Console().print(table, highlight=False)
        return
    lines = [heads, ["---:" if to_right else "---" for to_right in right], *rows]
    for line in lines:
        echo(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |")
