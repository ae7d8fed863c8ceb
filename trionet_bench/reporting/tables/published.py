"""Numbers from the literature beside ours: results of cells in separate columns, and what networks cost.

Neither is ever mixed into a table of measured rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import pandas as pd

from trionet_bench.analysis.metrics import is_accuracy
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.summary import summarise
from trionet_bench.jsontypes import JsonObject
from trionet_bench.reporting.quantity import primary
from trionet_bench.reporting.references import SHIPPED, Printed, Reference, read_references
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, absent, compact

# How far a count may lie from what rounds to the published number; where a paper's operations are not described to the
# last one, its count is not either.
TOLERANCE = {"params": 0.005, "macs": 0.015}
NAMES = {"params": "parameters", "macs": "MACs"}
UNEXPLAINED = "The cause of the difference is not known."

Agreement = Literal["as printed", "within tolerance", "differs"]


@dataclass(frozen=True)
class Beside:
    """A count of ours beside a printed one; ``value`` is the printed one in our unit, ``ratio`` ours over it."""

    printed: str
    value: float
    ours: int
    ratio: float
    agreement: Agreement


_COLUMNS = [field.name for field in fields(Beside)]


@dataclass(frozen=True)
class Comparison:
    """A published network beside ours; None for what its source does not print."""

    network: str
    citation: str
    params: Beside | None
    macs: Beside | None
    cause: str

    @property
    def counts(self) -> dict[str, Beside | None]:
        """By name, as in ``TOLERANCE``."""
        return {"params": self.params, "macs": self.macs}

    @property
    def agreement(self) -> str:
        """In words."""
        present = {name: beside for name, beside in self.counts.items() if beside is not None}
        words = {"as printed": "as printed", "differs": "differ"}
        parts = [
            f"{NAMES[name]} {words.get(beside.agreement, f'within {100 * TOLERANCE[name]:.1f} %')}"
            for name, beside in present.items()
        ]
        return ", ".join(parts)

    @property
    def agrees(self) -> bool:
        """Whether nothing differs beyond the tolerance."""
        return not any(beside and beside.agreement == "differs" for beside in (self.params, self.macs))

    def to_dict(self) -> JsonObject:
        """For JSON."""
        return {**asdict(self), "agreement": self.agreement, "agrees": self.agrees}


def compare(references: Iterable[Reference], ours: Mapping[str, Mapping[str, int]]) -> list[Comparison]:
    """Each reference to a network that ``ours`` has, by name with its ``params`` and ``macs``."""
    return [
        Comparison(
            reference.model,
            reference.citation,
            _beside(reference.printed_params, ours[reference.model]["params"], TOLERANCE["params"]),
            _beside(reference.printed_macs, ours[reference.model]["macs"], TOLERANCE["macs"]),
            reference.cause,
        )
        for reference in references
        if reference.model in ours
    ]


def _beside(printed: Printed | None, ours: int, tolerance: float) -> Beside | None:
    if printed is None:
        return None
    away = printed.distance(ours)
    agreement: Agreement = "as printed" if away == 0 else "within tolerance" if away <= tolerance else "differs"
    return Beside(printed.text, printed.value, ours, ours / printed.value, agreement)


def comparison_table(compared: list[Comparison]) -> Table:
    """One row a published result."""
    rows: list[JsonObject] = []
    for row in compared:
        flat: JsonObject = {"network": row.network, "citation": row.citation}
        for name, beside in row.counts.items():
            values = dict.fromkeys(_COLUMNS) if beside is None else asdict(beside)
            flat |= {f"{name}_{key}": value for key, value in values.items()}
        rows.append({**flat, "agreement": row.agreement, "cause": row.cause})
    data = pd.DataFrame(rows)
    text = pd.DataFrame(
        {
            "Network": data.network,
            "Published in": data.citation,
            "Params": data.params_value.map(_four_digits),
            "Ours": data.params_ours.map(_four_digits),
            "Ratio": data.params_ratio.map(_ratio),
            "Cost": data.macs_printed.fillna(DASH),
            "In MACs": data.macs_value.map(_four_digits),
            "Our MACs": data.macs_ours.map(_four_digits),
            "Ratio of MACs": data.macs_ratio.map(_ratio),
            "Agreement": data.agreement,
        }
    )
    note = (
        "What networks cost by our count, which needs no training. A printed 14.1M stands for all from 14.05M to "
        "14.15M: ours is as printed where it lies within, and otherwise as near to it as stated."
    )
    causes = {row.network: row.cause or UNEXPLAINED for row in compared if not row.agrees}
    note += "".join(f" {network}: {cause}" for network, cause in causes.items())
    return Table(data, text, note, groups=1, numbers=list(text.columns[2:-1]))


def _four_digits(count: float | None) -> str:
    return compact(count, 4)


def _ratio(ratio: float | None) -> str:
    return DASH if absent(ratio) else f"{ratio:.4f}"


def published(results: Results) -> Table | None:
    """One row a published result whose model and data source a measured group has; None without any.

    Papers print accuracy, so that there is none of another primary metric.
    """
    if not is_accuracy(results.primary):
        return None
    sources = results.cells.drop_duplicates("dataset").set_index("dataset").source
    table = summarise(results)
    table = table.assign(source=table.dataset.map(sources.map(lambda source: str(source).split("?")[0])))
    quantity = primary(results)
    theirs, ours = quantity.metric.name, f"our_{quantity.metric.name}"
    rows = []
    for reference in read_references(results.references or SHIPPED):
        measured = table[table.model == reference.model]
        rows += [
            {**_theirs(reference, theirs), **_ours(row, ours)}
            for _, row in measured.iterrows()
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
            quantity.heading: data[theirs].map(quantity.number),
            f"Our {quantity.label}": [
                quantity.number(value) if complete else DASH
                for value, complete in zip(data[ours], data.complete, strict=True)
            ],
            "Difference": [
                quantity.difference(a - b) if complete and not absent(b) else DASH
                for a, b, complete in zip(data[ours], data[theirs], data.complete, strict=True)
            ],
        }
    )
    note = "Published values under the papers' own recipes, beside the mean of ours."
    return Table(data, text, note, groups=2, numbers=list(text.columns[3:]))


def _same(reference: str, source: str) -> bool:
    """A reference names a source in full, or only its scheme, such as ``imagenet:``."""
    return source == reference or (reference.endswith(":") and source.startswith(reference))


def _theirs(reference: Reference, column: str) -> dict[str, object]:
    params, macs = reference.printed_params, reference.printed_macs
    return {
        "model": reference.model, "source": reference.source, "citation": reference.citation, "note": reference.note,
        "params": params and params.value, "macs": macs and macs.value, "cost": reference.cost,
        column: reference.accuracy,
    }  # fmt: skip


def _ours(row: "pd.Series[Any]", column: str) -> dict[str, object]:
    return {
        "dataset": row.dataset, "budget": row.budget, "n": row.n, "complete": row.complete, "our_params": row.params,
        "our_macs": row.macs, column: row["mean"], "our_sd": row.sd,
    }  # fmt: skip
