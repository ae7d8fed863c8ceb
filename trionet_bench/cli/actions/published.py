"""Prints published parameters and MACs beside ours."""

import json
from typing import Literal

from trionet_bench.networks.named import profile_network
from trionet_bench.reporting.references import read_references
from trionet_bench.reporting.tables.published import TOLERANCE, compare, comparison_table
from trionet_bench.reporting.tables.table import to_csv, to_html, to_latex, to_markdown
from trionet_bench.spaces.published import PUBLISHED
from trionet_bench.terminal import echo


def print_published(form: Literal["md", "csv", "tex", "html"], as_json: bool) -> None:
    """Print the table in a format, or as JSON. Networks without an implementation are named on stderr."""
    references = read_references()
    names = dict.fromkeys(reference.model for reference in references)
    ours = {name: profile_network(name) for name in names if name in PUBLISHED}
    compared = compare(references, ours)
    skipped = [name for name in names if name not in PUBLISHED]
    if as_json:
        rows = [row.to_dict() for row in compared]
        document = {"schema": 1, "tolerance": TOLERANCE, "networks": rows, "skipped": skipped}
        echo(json.dumps(document, indent=2))
        return
    title, made = "Published networks and ours", comparison_table(compared)
    writers = {
        "md": lambda: to_markdown(made, title),
        "csv": lambda: to_csv(made),
        "tex": lambda: to_latex(made, "published-networks", title),
        "html": lambda: to_html(made, title),
    }
    echo(writers[form](), nl=False)
    for name in skipped:
        echo(f"{name} has published values, but is not a network of this version yet: left out.", err=True)
