"""Numbers from the literature beside ours, in columns of their own and never in a table of measured rows."""

from pathlib import Path

import pandas as pd
import yaml
from pydantic import ValidationError

from trionet_bench.analysis.results import Results
from trionet_bench.analysis.summary import summarise
from trionet_bench.errors import UsageError
from trionet_bench.records.record import Strict
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, absent, compact, percent, points

SHIPPED = Path(__file__).parent.parent / "templates" / "published.yaml"


class Reference(Strict):
    """One published result. ``top1`` is a fraction; ``macs`` are MACs, whatever the paper called them."""

    model: str
    source: str
    citation: str
    params: int | None = None
    macs: int | None = None
    top1: float | None = None
    note: str = ""


class References(Strict):
    """A file of published results."""

    references: list[Reference]


def read_references(path: Path) -> list[Reference]:
    """The entries of a reference file; UsageError where it is not one."""
    try:
        return References.model_validate(yaml.safe_load(path.read_text())).references
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise UsageError(f"{path} is not a file of published results: {error}") from error


def published(results: Results) -> Table | None:
    """One row a published result whose model and data source a measured group has; None without any."""
    sources = results.cells.drop_duplicates("dataset").set_index("dataset").source
    table = summarise(results)
    table = table.assign(source=table.dataset.map(sources.map(lambda source: str(source).split("?")[0])))
    rows = []
    for reference in read_references(results.references or SHIPPED):
        ours = table[table.model == reference.model]
        rows += [
            {**reference.model_dump(), **_ours(row)}
            for _, row in ours.iterrows()
            if _same(reference.source, row.source)
        ]
    if not rows:
        return None
    data = pd.DataFrame(rows)
    text = pd.DataFrame(
        {
            "Model": data.model,
            "Data set": data.dataset,
            "Published in": data.citation + data.note.map(lambda note: f" ({note})" if note else ""),
            "Params": data.params.map(compact),
            "Our params": data.our_params.map(compact),
            "MACs": data.macs.map(compact),
            "Our MACs": data.our_macs.map(compact),
            "Top-1 (%)": data.top1.map(percent),
            "Our top-1": [percent(v) if ok else DASH for v, ok in zip(data.our_top1, data.complete, strict=True)],
            "Difference": [
                points(a - b) if ok and not absent(b) else DASH
                for a, b, ok in zip(data.our_top1, data.top1, data.complete, strict=True)
            ],
        }
    )
    note = "Published values under the papers' own recipes, beside the mean of ours."
    return Table(data, text, note, groups=2, numbers=list(text.columns[3:]))


def _same(reference: str, source: str) -> bool:
    """A reference names a source in full, or its scheme alone, such as ``imagenet:``."""
    return source == reference or (reference.endswith(":") and source.startswith(reference))


def _ours(row: pd.Series) -> dict[str, object]:
    return {
        "dataset": row.dataset, "budget": row.budget, "n": row.n, "complete": row.complete, "our_params": row.params,
        "our_macs": row.macs, "our_top1": row["mean"], "our_sd": row.sd,
    }  # fmt: skip
